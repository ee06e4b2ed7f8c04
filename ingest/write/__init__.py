"""Batches of spans into a dataset's tables."""
