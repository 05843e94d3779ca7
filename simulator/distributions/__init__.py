"""The laws that particles are drawn from: diameters, penalty factors, Gaussian random fields."""
