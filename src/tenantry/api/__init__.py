"""The graph: what clients see, how a read becomes one statement, how a write becomes one transaction."""
