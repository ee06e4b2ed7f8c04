"""The dashboard's server: workspace, uploads, ingest jobs."""
