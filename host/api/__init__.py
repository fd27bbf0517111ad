"""The desk: the HTTP API over the host's books (interface.md, section 3). Reads only; changes go through the runner."""
