"""Which stage of an LLM system blows its latency budget, at which percentile, why, and what to change."""
