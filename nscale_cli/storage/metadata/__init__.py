"""What image files say about their making: read, added beside the pixels, and taken out again."""
