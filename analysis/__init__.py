"""Every answer: plain functions from a dataset (and a budget) to small frozen dataclasses."""
