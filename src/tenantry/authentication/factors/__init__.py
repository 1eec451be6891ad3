"""Second factors: a secret shown once, codes used once, and as few guesses as can be."""
