"""From a mesh to vectors: partition, spaces, numbering, compiled forms, matrices, averages."""
