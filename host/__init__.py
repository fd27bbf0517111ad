"""The acquirer: edge (sockets) -> engine (decisions) -> ledger (books), and the desk (API)."""
