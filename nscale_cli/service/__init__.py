"""The service over HTTP, and what its answers mean."""
