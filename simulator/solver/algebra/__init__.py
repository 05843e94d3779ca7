"""Linear solvers for the derivative of the residual."""
