"""The wall: one customer of one product."""
