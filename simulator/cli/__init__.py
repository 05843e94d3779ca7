"""The command line: one module for each command; main.py holds what they share."""

from heterode.cli.main import main

__all__ = ["main"]
