"""From a run's cells to what people look at: a sheet, a page, a table."""
