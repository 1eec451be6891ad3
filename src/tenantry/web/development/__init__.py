"""What only a developer's machine has: an identity provider without passwords, a mailbox to look into."""
