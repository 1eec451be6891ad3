"""Stored operations: paths of their own, each for one fixed document, run through the same door."""
