"""Stock Strawberry as its documentation shows it: SQLAlchemy ORM, DataLoader, permission classes."""
