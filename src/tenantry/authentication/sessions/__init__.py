"""One login on one device."""
