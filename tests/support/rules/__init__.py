"""The house rules that a syntax tree can check, in three files: size, place and tests."""

from tests.support.rules.place import PLACE_RULES
from tests.support.rules.size import SIZE_RULES
from tests.support.rules.testing import TEST_RULES
from tests.support.source import Rule

RULES: tuple[Rule, ...] = (*SIZE_RULES, *PLACE_RULES, *TEST_RULES)
