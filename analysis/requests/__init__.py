"""Requests as columns: read, chosen, judged good, classified anew by a budget's rules."""
