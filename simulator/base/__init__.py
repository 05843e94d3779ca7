"""Foundations that every other folder may use: units, errors, ranks, signals, caches, digests."""
