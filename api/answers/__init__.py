"""The answers of the Python API, one file for each question: how it is asked, said, tabled and drawn."""
