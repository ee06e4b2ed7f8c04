"""Small systems simulated event by event, each with a mechanism that makes it slow, and the truth about it."""
