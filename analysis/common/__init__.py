"""Percentiles with their intervals, and durations as text."""
