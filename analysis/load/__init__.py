"""Latency against requests in flight."""
