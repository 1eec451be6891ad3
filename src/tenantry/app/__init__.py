"""The composition root: settings in, application out; the only place that wires."""
