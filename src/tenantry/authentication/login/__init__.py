"""From an ID token to a session: who waits for this person, and which tenant they enter."""
