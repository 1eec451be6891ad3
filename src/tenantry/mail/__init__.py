"""Outgoing mail behind a port: SMTP, or a mailbox in memory for development."""
