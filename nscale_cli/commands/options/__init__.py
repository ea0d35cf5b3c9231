"""The options that commands share, each declared once; those that travel together are one value."""
