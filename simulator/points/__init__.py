"""Marked points for the statistics: out of CSV tables, runs, virtual sections and cycles."""
