"""Reports: what several units make together, as files for a reader."""
