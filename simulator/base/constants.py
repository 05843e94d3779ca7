"""Physical constants, exact in the SI since 2019 (CODATA 2018)."""

FARADAY = 96485.33212331001
"""Charge of one mole of electrons, C mol^-1 (e N_A)."""

GAS_CONSTANT = 8.31446261815324
"""Molar gas constant, J mol^-1 K^-1 (k_B N_A)."""
