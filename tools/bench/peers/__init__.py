"""Other libraries that make images, measured beside the program where they are installed."""
