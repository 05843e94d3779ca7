"""Foundations of all rooms: units, errors, ranks, signals, caches, digests, derivatives."""
