"""What every other folder may use: units, errors, ranks, signals, caches, tables, digests."""
