"""nscale: make images from text at the command line."""

__version__ = "0.1.0"
