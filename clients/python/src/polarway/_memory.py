"""Memory for messages."""

from __future__ import annotations

import functools
from typing import Final

# A message of this size has memory of its own, which glibc gives back to the system when it is freed.
_LARGE_BYTES: Final = 128 << 10

# The largest block that glibc learns from has 32 MiB with all that is around it.
_LEARNED_BYTES: Final = (32 << 20) - (16 << 10)


def note_message(size: int) -> None:
    """Notes that a message of so many bytes is sent or received: after a large one, memory is kept for the next."""
    if size >= _LARGE_BYTES:
        keep_for_messages()


@functools.cache
def keep_for_messages() -> None:
    """Has the process keep some memory that was freed, up to 64 MiB for each of malloc's arenas.

    glibc gives freed memory back to the system beyond twice the size of the largest block that was ever freed.
    Messages are much smaller than what gRPC has of them at a time. So the system would take the same pages away and
    clear them anew all the time, which takes as long as to receive a table. To free one large block, once, ends that;
    its pages are never touched. Other allocators don't care.
    """
    bytes(_LEARNED_BYTES)
