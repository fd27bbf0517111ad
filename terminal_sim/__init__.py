"""The POS terminal: a sans-IO machine, its flash, its slips, and the line that drives it."""
