"""Spans as other tools and SDKs write them, as records of OTLP/JSON."""
