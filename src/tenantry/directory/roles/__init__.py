"""Named sets of permissions, locked ones from the blueprint and a tenant's own."""
