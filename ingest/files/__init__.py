"""Dump files: finding, decompressing and unpacking them."""
