"""Bytes that lie in many places, and are sent without being joined."""

from __future__ import annotations

import itertools
import socket
from collections import deque
from collections.abc import Iterable

from polarway._wire import Bytes

# What any system takes with one call.
_MOST_AT_ONCE = 1024


class Pieces:
    """Some bytes in pieces, which are taken from their beginning to their end."""

    def __init__(self, pieces: Iterable[Bytes]) -> None:
        # By the byte, whatever they consist of. None may be empty: it would never be taken.
        self._left = deque(view for piece in pieces if (view := memoryview(piece).cast("B")))
        self.size = sum(map(len, self._left))
        """How many bytes are left."""

    def take(self, size: int) -> list[memoryview]:
        """Takes so many bytes, or all that are left if they are fewer."""
        taken: list[memoryview] = []
        while size and self._left:
            piece = self._left.popleft()
            if len(piece) > size:
                self._left.appendleft(piece[size:])
                piece = piece[:size]
            taken.append(piece)
            size -= len(piece)
            self.size -= len(piece)
        return taken


def send_all(target: socket.socket, pieces: Iterable[Bytes]) -> None:
    """Sends all these bytes.

    Raises:
        OSError: The connection broke, or took nothing within the socket's time limit.
    """
    left = deque(pieces)
    while left:
        sent = target.sendmsg(itertools.islice(left, _MOST_AT_ONCE))
        while left and sent >= len(left[0]):
            sent -= len(left.popleft())
        if sent:
            left[0] = memoryview(left[0])[sent:]
