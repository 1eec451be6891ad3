"""The tests: one folder for each package, reusable machinery in `support`."""
