"""Runs on several machines: what schedulers do to them, with the real schedulers."""
