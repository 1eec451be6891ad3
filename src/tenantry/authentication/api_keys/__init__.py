"""API keys: what a machine holds, which may do what its issuer may, and of that what it names."""
