"""The answers of the Python API, one file per question: how to compute it, its sentences, tables and chart."""
