"""`make accuracy`: how often the answers are right, in simulated worlds, in statistics, and on real faults."""
