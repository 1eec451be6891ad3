"""People in one tenant, their roles and their standing."""
