"""Writes docs/parameters.md from the schema: scripts/parameters.

tests/test_reference.py notices when the page and the schema differ.
"""

from __future__ import annotations

import sys
from pathlib import Path

# The folder holds `helpers`.
sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "tests"))

from helpers.parameter_page import PAGE, page

PAGE.write_text(page(), encoding="utf-8")
print(PAGE)
