"""A file to a table whose columns have names: its compression, encoding, separator, the place of its names."""
