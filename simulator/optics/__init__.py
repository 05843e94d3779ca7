"""Micrographs to particle tables, and the dielectric theory of their colours. Needs no FEniCS."""
