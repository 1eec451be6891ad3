"""Webhooks: what has happened in a tenant, told to its own systems, signed (Standard Webhooks)."""
