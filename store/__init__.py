"""The dataset: one immutable DuckDB file, its schema, how it is built, published and opened."""
