"""Percentiles against the budget, what requests near them are made of, and the culprit."""
