"""Marked points for the statistics, from CSV tables, runs, virtual sections and cycles."""
