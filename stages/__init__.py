"""What an operation is: attribute keys, rules, classification, and the stage of each span."""
