"""Two identifiers for everything: a key for the tables, a node id for the world.

A key is a UUID of version 7 (RFC 9562, section 5.7): it sorts by creation and never
leaves the service. A node id is a letter that names the GraphQL type and 128 random
bits; it is stored beside the key, so that it reveals neither key nor tenant, and costs
nothing to print.
"""

import secrets
import time
from enum import StrEnum
from uuid import UUID

NODE_BYTES = 16


class NodePrefix(StrEnum):
    """The letter that begins a node id, one for each GraphQL type, sorted by type."""

    API_KEY = "K"
    AUDIT_EVENT = "A"
    EMAIL_DOMAIN = "D"
    IDENTITY_PROVIDER = "P"
    INVITATION = "I"
    MEMBER = "M"
    RESOURCE = "O"
    ROLE = "R"
    SESSION = "S"
    TEAM = "G"
    TENANT = "T"
    USER = "U"
    WEBHOOK_DELIVERY = "Y"
    WEBHOOK_ENDPOINT = "W"


def new_key() -> UUID:
    """A fresh table key: 48 bits of Unix milliseconds, 74 random bits (RFC 9562 5.7)."""
    value = (time.time_ns() // 1_000_000) << 80 | secrets.randbits(80)
    value = value & ~(0xF000 << 64) | 0x7000 << 64
    value = value & ~(0xC000 << 48) | 0x8000 << 48
    return UUID(int=value)


def new_node_id(prefix: NodePrefix) -> str:
    """A fresh node id, for example ``M_kF3mT0…`` (24 characters)."""
    return f"{prefix}_{secrets.token_urlsafe(NODE_BYTES)}"


def new_message_id() -> str:
    """A fresh id of a message that goes out, the same at each attempt to send it."""
    return f"msg_{secrets.token_urlsafe(NODE_BYTES)}"


PLATFORM_TENANT_KEY = UUID(int=0)
"""The platform itself, kept as one more tenant: its members are the platform's staff, its
trail holds what happened outside every tenant."""
