"""Tenants' own identity providers, and the e-mail domains for which their word counts."""
