"""The issuer: a party of its own with its own books and its own commits, reached only over the link H>I."""
