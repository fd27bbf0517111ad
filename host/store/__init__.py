"""The store: the host's books on disk. The only package that knows SQL; SQLite (default) and PostgreSQL."""
