"""Many images: a file of rows becomes a plan, a journal, and a folder of images."""
