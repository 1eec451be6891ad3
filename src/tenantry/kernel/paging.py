"""Limits of a page, the same for every connection."""

MAX_PAGE = 100
"""Most nodes that ``first`` or ``last`` may ask for; one of the two is mandatory."""
