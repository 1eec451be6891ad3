"""Text that people type: trimmed, printable, bounded."""

import re

from tenantry.kernel.errors import BadUserInput

NAME_CHARACTERS = 120
PARAGRAPH_CHARACTERS = 1_000

_BREAKS = re.compile(r"[\t\r\n]")


def line(value: str, field: str, *, most: int = NAME_CHARACTERS) -> str:
    """One line of 1 to ``most`` printable characters. Raises ``BadUserInput`` naming ``field``."""
    text = value.strip()
    if not text:
        raise BadUserInput("Some input cannot be taken.", {field: "must not be empty"})
    return _printable(text, text, field, most)


def paragraph(value: str, field: str, *, most: int = PARAGRAPH_CHARACTERS) -> str:
    """Any number of lines, none included. Raises ``BadUserInput`` naming ``field``."""
    text = value.strip()
    return _printable(text, _BREAKS.sub("", text), field, most)


def _printable(text: str, seen: str, field: str, most: int) -> str:
    if len(text) > most:
        raise BadUserInput("Some input cannot be taken.", {field: f"must have at most {most} characters"})
    if seen and not seen.isprintable():
        raise BadUserInput("Some input cannot be taken.", {field: "must not hold control characters"})
    return text
