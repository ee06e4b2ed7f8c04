"""New datasets from old ones: merged, stitched, recomputed."""
