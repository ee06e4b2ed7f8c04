"""Benchmarks: speed and memory, each against a reference timed in the same run."""
