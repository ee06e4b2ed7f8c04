"""Recognising a dump's format, and reading its spans as columns."""
