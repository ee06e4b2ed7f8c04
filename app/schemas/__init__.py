"""JSON Schemas (draft 2020-12) of what the commands print with --json; made by python -m scripts.write_docs."""
