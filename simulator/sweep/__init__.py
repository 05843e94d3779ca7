"""Sweeps of many runs: a design over the parameters, a pool or a cluster, and a table of results.

    SWEEP.toml -> Design -> runs -> pool, Slurm or a list of commands -> sweep.csv, figures

A run is identified by the hash of its parameters, so that a design that grows runs only what is
new.
"""
