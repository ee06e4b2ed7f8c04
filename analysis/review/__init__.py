"""Percentiles against the budget, what requests near them are made of, and which stage is the culprit."""
