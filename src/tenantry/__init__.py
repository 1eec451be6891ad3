"""Tenantry: identity and access for multi-tenant products, spoken to in GraphQL."""

from importlib.metadata import version

__version__ = version("tenantry")
