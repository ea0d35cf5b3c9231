"""The disk: names, whole files, rescue, and formats of images."""
