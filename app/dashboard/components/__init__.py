"""Components of our own: JavaScript in its own files, no build step."""
