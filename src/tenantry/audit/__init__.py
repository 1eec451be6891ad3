"""The trail: one durable record for each root field of every operation."""
