"""The claims that heterode's numbers rest on, each measured, bounded, and shown to be falsifiable.

`scripts/verify` measures all of them; test_claims.py in this folder, which is part of the test
suite, measures those that take seconds.
"""
