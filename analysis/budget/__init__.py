"""The budget file: caps, rules, which cap holds where."""
