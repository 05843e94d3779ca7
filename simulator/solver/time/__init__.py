"""Time integration through a protocol: time scheme, Newton's method, controls, march."""
