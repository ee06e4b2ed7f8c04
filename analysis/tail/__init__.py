"""What slow requests have in common that typical ones do not."""
