"""From results to what the user sees."""
