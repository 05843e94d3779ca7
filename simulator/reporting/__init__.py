"""Reports: what was measured of a run or a table, as files for people and programs."""
