"""Asking a person in: pending, accepted, expired, revoked."""
