"""What is known of a run before it is run: its regimes, its size, its time and memory."""
