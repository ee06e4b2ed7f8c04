"""Which operations own time on the critical path."""
