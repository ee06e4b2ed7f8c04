"""The budget file: caps, rules, and which cap applies where."""
