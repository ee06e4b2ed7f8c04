"""What changed between two sides, like with like."""
