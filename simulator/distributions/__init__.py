"""The laws from which particles are drawn: diameters, penalty factors, Gaussian random fields."""
