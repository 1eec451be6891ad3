"""Tokens: ID tokens of others verified, access tokens of ours minted and verified.

The only package that imports ``jwt`` and ``firebase_admin``; it knows no table and no route.
"""
