"""A run: its stages, its resumption, its records, and its results once loaded."""
