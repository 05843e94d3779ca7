"""The command line: a module a command, see main.py for what they share."""

from heterode.cli.main import main

__all__ = ["main"]
