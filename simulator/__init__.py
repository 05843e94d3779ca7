"""heterode: heterogeneity of battery electrodes, simulated and measured with one ruler."""

__version__ = "0.1.0"
