"""Whether the traces can be trusted."""
