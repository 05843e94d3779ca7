"""Attacks on heterode, for scripts/break: kills, corruptions, inputs, faults, environments."""
