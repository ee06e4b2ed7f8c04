"""OTLP protobuf, framed or not."""
