"""A simulated LLM service on a real OpenTelemetry SDK: scenarios with known faults, and ready dumps."""
