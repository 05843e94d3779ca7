"""A run: set up, prepared, observed, recorded and resumed; and its results once loaded."""
