"""A run: laid out, prepared, observed, recorded, continued; and its results once loaded."""
