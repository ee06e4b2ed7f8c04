"""Dump files: found, decompressed, taken out of archives."""
