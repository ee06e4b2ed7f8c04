"""Limits for every stage from one total."""
