"""The server's side of a connection, written byte by byte."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator, Sequence

import hpack

import breaking_proxy
from polarway import _http2
from polarway._memory import place_message

DATA, HEADERS, PRIORITY, RESET, SETTINGS, PUSH, PING, GOAWAY, WINDOW, CONTINUATION = range(10)
END_STREAM, END_HEADERS, PADDED, WITH_PRIORITY = 0x1, 0x4, 0x8, 0x20
ACK = 0x1
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
OK = b"\x88"


def frame(kind: int, flags: int = 0, stream: int = 0, payload: bytes = b"") -> bytes:
    return len(payload).to_bytes(3, "big") + struct.pack(">BBI", kind, flags, stream) + payload


def block(*headers: tuple[str, str]) -> bytes:
    """Headers as a server sends them to a client that wants no table of them."""
    encoder = hpack.Encoder()
    encoder.header_table_size = 0
    encoded: bytes = encoder.encode(headers)
    return encoded


def message(content: bytes, *, compressed: bool = False) -> bytes:
    return struct.pack(">BI", compressed, len(content)) + content


def answered(*contents: bytes, stream: int = 1, status: Sequence[tuple[str, str]] = (("grpc-status", "0"),)) -> bytes:
    """A whole answer with these messages."""
    return b"".join(
        (
            frame(SETTINGS),
            frame(HEADERS, END_HEADERS, stream, block((":status", "200"), ("content-type", "application/grpc"))),
            *(frame(DATA, 0, stream, message(content)) for content in contents),
            frame(HEADERS, END_HEADERS | END_STREAM, stream, block(*status)),
        )
    )


@contextlib.contextmanager
def connected() -> Iterator[tuple[_http2.Connection, socket.socket]]:
    """A connection that has asked something, and the server's end of it."""
    ours, theirs = socket.socketpair()
    with theirs:
        connection = _http2.Connection(ours, "peer:1", place_message)
        try:
            connection.begin("/service/Method", (("name", "value"),), b"request")
            yield connection, theirs
        finally:
            connection.close()


def frames(sent: bytes) -> list[tuple[int, int, int, bytes]]:
    """The frames that a client sent, each as its kind, flags, stream and payload."""
    found = []
    rest = sent.removeprefix(PREFACE)
    while rest:
        size = int.from_bytes(rest[:3], "big")
        kind, flags, stream = struct.unpack_from(">BBI", rest, 3)
        found.append((kind, flags, stream, rest[9 : 9 + size]))
        rest = rest[9 + size :]
    return found


def all_of(connection: _http2.Connection) -> list[bytes]:
    """The messages of an answer."""
    found = []
    while (content := connection.next()) is not None:
        found.append(bytes(content))
    return found


class Odd(breaking_proxy.Proxy):
    """A proxy whose second connection, the first that a load has for itself, gets an answer of the test's.

    It comes once the request is there. Behind it, the connection ends, or nothing comes any more.
    """

    def __init__(self, server: str, answer: bytes, *, stays_open: bool) -> None:
        self._answer = answer
        self._stays_open = stays_open
        self.is_answered = threading.Event()
        """Whether the answer was sent."""
        self.is_left = threading.Event()
        """Whether the client has ended that connection."""
        super().__init__(server)

    def _forward(self, client: socket.socket, server: socket.socket, arrivals: list[int], cut: int | None) -> None:
        if self.connections != 2:
            return super()._forward(client, server, arrivals, cut)
        with contextlib.suppress(OSError):
            client.recv(1 << 16)
            client.sendall(self._answer)
            self.is_answered.set()
            if not self._stays_open:
                client.shutdown(socket.SHUT_WR)
            while client.recv(1 << 16):
                pass
        self.is_left.set()
        return self._end(client, server)


@contextlib.contextmanager
def odd(server: str, answer: bytes, *, stays_open: bool = False) -> Iterator[Odd]:
    """Such a proxy before this server."""
    proxy = Odd(server, answer, stays_open=stays_open)
    try:
        yield proxy
    finally:
        proxy.close()
