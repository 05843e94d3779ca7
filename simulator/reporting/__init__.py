"""Reports: the analysis of a run or a table, written as files for people and programs."""
