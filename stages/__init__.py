"""What an operation is: attribute keys, rules, classification, and which stage each span counts for."""
