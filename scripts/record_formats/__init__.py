"""Records the fixtures of tests/data/formats/ anew, with the libraries that write them."""
