"""Memory for messages."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

import pyarrow as pa

from polarway._wire import Bytes

# A message of this size has memory of its own, which glibc gives back to the system when it is freed.
_LARGE_BYTES: Final = 128 << 10

# The largest block that glibc learns from has 32 MiB with all that is around it.
_LEARNED_BYTES: Final = (32 << 20) - (16 << 10)

ALIGNMENT: Final = 64
"""What the address of Arrow's data is a multiple of."""

# To copy fewer bytes takes less time than to find where they would be aligned.
_SMALL_BYTES: Final = 4 << 10

# In protobuf: the kinds of a field that is one number, and of one that tells its length. Rows are a field of a chunk,
# which is a field of the message.
_VARINT_KIND: Final = 0
_LENGTH_KIND: Final = 2
_DATA_DEPTH: Final = 2


def note_message(size: int) -> None:
    """Notes that a message of so many bytes is sent or received: after a large one, memory is kept for the next."""
    if size >= _LARGE_BYTES:
        keep_for_messages()


def joined(pieces: Sequence[Bytes]) -> bytes:
    """The message that is in these pieces."""
    message = b"".join(pieces)
    note_message(len(message))
    return message


@functools.cache
def keep_for_messages() -> None:
    """Has the process keep some memory that was freed, up to 64 MiB for each of malloc's arenas.

    glibc gives freed memory back to the system beyond twice the size of the largest block that was ever freed.
    Messages are much smaller than what gRPC has of them at a time. So the system would take the same pages away and
    clear them anew all the time, which takes as long as to receive a table. To free one large block, once, ends that;
    its pages are never touched. Other allocators don't care.
    """
    bytes(_LEARNED_BYTES)


def place_message(head: memoryview, size: int) -> memoryview:
    """Memory for a message of a stream of rows, which begins with these bytes. Arrow's data in it will be aligned."""
    if size < _SMALL_BYTES:
        return memoryview(bytearray(size))
    shift = -_data_start(head) % ALIGNMENT
    return memoryview(pa.allocate_buffer(shift + size)).cast("B")[shift:]


def owner(data: Bytes) -> pa.Buffer | None:
    """The buffer of Arrow's that these bytes are a part of, if they have been placed in one."""
    found = data.obj if isinstance(data, memoryview) else None
    return found if isinstance(found, pa.Buffer) else None


def _data_start(head: memoryview) -> int:
    """Where Arrow's data begins in a message: it is the long field of the long field. 0 if it is not found."""
    position = depth = 0
    while position < len(head):
        kind = head[position] & 7
        value, position = _varint(head, position + 1)
        if kind == _LENGTH_KIND and position + value > len(head):
            depth += 1
            if depth == _DATA_DEPTH:
                return position
        elif kind == _LENGTH_KIND:
            position += value
        elif kind != _VARINT_KIND:
            break
    return 0


def _varint(head: memoryview, start: int) -> tuple[int, int]:
    """A number of protobuf, and where it ends. One that is cut off ends there."""
    value = 0
    for count, byte in enumerate(head[start:]):
        value |= (byte & 0x7F) << 7 * count
        if byte < 0x80:
            return value, start + count + 1
    return value, len(head)
