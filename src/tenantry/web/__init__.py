"""The wire: HTTP in, HTTP out; nothing below knows of it."""
