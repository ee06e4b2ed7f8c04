"""One trace: its spans, critical path and typical durations."""
