"""The ids by which a server recognises a write that it was sent before."""

from __future__ import annotations

import os
import time
import uuid

from polarway import _arguments
from polarway.errors import InvalidInput


def fresh_request() -> uuid.UUID:
    """An id for a write: a UUID of version 7 (RFC 9562), as `uuid.uuid7` of Python 3.14 gives it.

    A program that may be restarted in the middle of its work keeps the id, and gives it to `store`, `append` or
    `delete` as `request` each time: within ten minutes, the write is carried out once.
    """
    # The milliseconds since 1970, and 74 random bits.
    bits = int(time.time() * 1000) << 80 | int.from_bytes(os.urandom(10), "big")
    # Version and variant are in the bits from 76 to 79, and in 62 and 63.
    bits = bits & ~(0xF << 76) | 7 << 76
    bits = bits & ~(0b11 << 62) | 0b10 << 62
    return uuid.UUID(int=bits)


def of_call(given: uuid.UUID | None) -> uuid.UUID:
    """The id that a user gave for a write, or a fresh one.

    Raises:
        InvalidInput: It is no UUID of version 7, whose age is known.
    """
    if given is None:
        return fresh_request()
    if not isinstance(given, uuid.UUID) or given.version != 7:
        raise InvalidInput(f"{_arguments.shown(given)} is no UUID of version 7: polarway.fresh_request gives one")
    return given


def of_table(call: uuid.UUID, ordinal: int) -> str:
    """The id of a table in a call, counted from 0."""
    return f"{call}/{ordinal}"
