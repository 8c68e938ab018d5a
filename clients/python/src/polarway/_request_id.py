"""The ids by which a server recognises a write that it was sent before."""

from __future__ import annotations

import os
import time
import uuid


def fresh_of_call() -> str:
    """A UUID of version 7 (RFC 9562): the milliseconds since 1970, and 74 random bits. Its age is known."""
    bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    # Version and variant are in the bits from 76 to 79, and in 62 and 63.
    bits = bits & ~(0xF << 76) | 7 << 76
    bits = bits & ~(0b11 << 62) | 0b10 << 62
    return str(uuid.UUID(int=bits))


def of_table(call: str, ordinal: int) -> str:
    """The id of a table in a call, counted from 0."""
    return f"{call}/{ordinal}"
