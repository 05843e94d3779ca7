"""The claims that heterode's numbers rest on, each measured, bounded, and shown to be able to fail.

`scripts/verify` runs them all; tests/test_verification.py and the tests of each subject call the
same measurements.
"""
