"""Whole tenants: blueprints applied to them, new ones with their roles and owner, the platform, the demo."""
