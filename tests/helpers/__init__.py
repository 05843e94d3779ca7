"""What tests, `scripts/verification` and `scripts/break` share; nothing here is a test.

Cells and inputs that are known through and through, measurements of them, ways to start and to
damage whole commands, and the programs that tests start: other Pythons, ParaView, a browser.
"""
