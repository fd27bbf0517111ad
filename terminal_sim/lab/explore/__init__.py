"""The explorer: every single fault of a day, every second one, windows, and seeded runs beyond two."""
