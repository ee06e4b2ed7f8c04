"""make torture: what comes from outside, spoilt in every way, for a bounded time."""
