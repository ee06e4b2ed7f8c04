"""What overbudget costs: speed and memory, each against a reference timed in the same run."""
