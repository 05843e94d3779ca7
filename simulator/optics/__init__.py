"""Particle tables from micrographs, and dielectric theory of their colours, without FEniCS."""
