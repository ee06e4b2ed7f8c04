"""OTLP/JSON and its dialects."""
