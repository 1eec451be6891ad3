"""One (document, operation, shape of variables) becomes one SQL statement that returns the answer."""
