"""How many decisions a second, on one policy, beside other engines of Python."""
