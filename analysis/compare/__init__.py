"""What changed between two sides, with the mix of routes held fixed."""
