"""Requests as columns: read, selected, judged good or not, reclassified by a budget's rules."""
