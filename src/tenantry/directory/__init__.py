"""Tenants and who belongs to them: blueprints, tenants, roles, members, invitations."""
