"""Pure decisions: what a permission is, what a rule asks for, who is let through."""
