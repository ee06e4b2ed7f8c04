"""What to change first, with evidence for and against and a replayed effect."""
