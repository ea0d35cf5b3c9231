"""Which key a request is made with, and where keys are stored."""
