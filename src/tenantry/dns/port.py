"""The question: which texts stand at a name."""

from collections.abc import Awaitable, Callable, Sequence

Texts = Callable[[str], Awaitable[Sequence[str]]]
"""The TXT records of a name, each whole (RFC 1035, 3.3.14); none where there is no such name.

Raises ``DnsUnavailable`` where nothing could be learned.
"""
