"""What a dump is, and its spans as columns."""
