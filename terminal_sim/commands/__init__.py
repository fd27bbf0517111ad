"""The commands of `terminal-sim`, by what they are for. Heavy modules are imported inside them: `--help` is quick."""
