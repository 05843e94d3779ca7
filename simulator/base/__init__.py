"""What others use: units, errors, ranks, signals, caches, tables, digests, derivatives."""
