"""The discretisation: partition, spaces, numbering, compiled forms, matrices and averages."""
