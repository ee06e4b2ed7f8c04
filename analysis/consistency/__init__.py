"""How predictable latency is: spread, modes, good answers."""
