"""Many runs: a design over the parameters, a pool or a cluster to run it, one table of results.

    SWEEP.toml -> Design -> runs -> pool, Slurm or a list of commands -> sweep.csv, figures

A run is known by the hash of its parameters: a design that grows runs only what is new.
"""
