"""What may be forgotten at any moment: the cache behind a port, and rate limits."""
