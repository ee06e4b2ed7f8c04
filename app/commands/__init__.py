"""One file per command of `overbudget`."""
