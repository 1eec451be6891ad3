"""Test machinery that more than one test uses; typed like the product."""
