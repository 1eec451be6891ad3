"""What every layer shares: the principal, ids, refusals, the clock and paging."""
