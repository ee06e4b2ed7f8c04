"""The error budget of an objective over weeks."""
