"""Measured runs: performance.csv, a row a run, read by heterode.forecast.estimate.

Its columns are the fields of `heterode.forecast.estimate.cost.Measured`. A row is a run from start
to end on an otherwise idle machine with the equations compiled before, numbers as in its manifest:
seconds_total is the sum of wall_s, seconds_solve its entry "solve", memory_bytes
peak_memory_bytes. One row for each dimension, linear solver, dofs and ranks; a mesh that was run on
1 rank and on more tells what ranks are worth.
"""
