"""Spans in tables: Parquet and CSV."""
