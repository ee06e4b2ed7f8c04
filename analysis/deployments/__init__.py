"""Versions of a service that appear, and whether a percentile changed with them."""
