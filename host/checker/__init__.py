"""The checker: pure functions over the books of both ends. It reads rows and writes none; truth is worked out again."""
