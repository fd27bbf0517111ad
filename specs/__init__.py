"""What both ends must agree on: pure values and functions; no socket, clock, randomness or store."""
