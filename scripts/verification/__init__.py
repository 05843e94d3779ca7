"""The claims that heterode's numbers rest on, each measured, bounded, and shown to be able to fail.

`scripts/verify` measures them all; test_claims.py beside them, a part of the test suite, those that
take seconds.
"""
