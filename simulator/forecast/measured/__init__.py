"""Measured runs: performance.csv holds one run in each row; heterode.forecast.estimate reads it.

Its columns are the fields of `heterode.forecast.estimate.cost.MeasuredRun`. Each run was timed from
start to end on an otherwise idle machine, with the equations compiled beforehand. The numbers come
from its manifest: seconds_total is the sum of wall_s, seconds_solve is its entry "solve", and
memory_bytes is peak_memory_bytes. There is one row for each combination of dimension, linear
solver, dofs and ranks. A mesh that was run on 1 rank and on more shows how much further ranks help.
"""
