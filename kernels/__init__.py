"""Pure functions over columns: span trees, critical paths, replay, hashing. No connection, no file."""
