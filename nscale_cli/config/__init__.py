"""Settings: the table, the file, and where it is."""
