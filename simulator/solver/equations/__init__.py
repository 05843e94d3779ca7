"""The discrete equations of a time step: residual, its derivative, norms."""
