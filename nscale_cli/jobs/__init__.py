"""Buying and saving: from a request to files."""
