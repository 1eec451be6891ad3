"""Measures Tenantry against the limit and against its peers; ``make bench`` writes RESULTS.md."""
