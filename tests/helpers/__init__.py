"""What tests, `scripts/verification` and `scripts/break` share; nothing here is a test.

Cells and inputs that are known through and through, measurements of them, ways to start and to
damage whole commands, and the programs that tests start: other Pythons, ParaView, a browser.
"""

import pytest

# A failed assertion of these is explained as one of a test is.
pytest.register_assert_rewrite(
    "helpers.any_input",
    "helpers.broken_runs",
    "helpers.endings",
    "helpers.refusals",
    "helpers.same_run",
)
