"""The discrete equations of a time step: the residual, its derivatives, and norms."""
