"""Forecasts for a run: its regime numbers, its size, and the time and memory that it will take."""
