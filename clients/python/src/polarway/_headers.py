"""Headers of HTTP/2 for calls of gRPC: those of a request, and what those of an answer say.

Neither side keeps a table of earlier headers, so the same headers are the same bytes each time.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import dataclasses
import functools
import urllib.parse
from typing import Final

import hpack

from polarway._transport import Headers

MOST_HEADER_BYTES: Final = 64 << 10
"""The longest headers of an answer."""

# HPACK: the table of earlier headers has no room, which says so once more; and the entry for the status 200.
_NO_TABLE: Final = b"\x20"
_STATUS_200: Final = b"\x88"


class Broken(Exception):
    """The connection ended, or what came over it is not what a server of gRPC sends."""


@dataclasses.dataclass(frozen=True, slots=True)
class Status:
    """How the server says that a call ended."""

    code: int
    message: str
    # The bytes of `grpc-status-details-bin`.
    details: bytes | None


def request(path: str, authority: str, headers: Headers) -> bytes:
    """The block of a request's headers."""
    return _NO_TABLE + _pseudo_headers(path, authority) + b"".join(map(_literal, headers))


def is_success(block: bytes) -> bool:
    """Whether the first headers of an answer have HTTP's status 200. Most need not be decoded to know that."""
    return block.removeprefix(_NO_TABLE).startswith(_STATUS_200) or _decoded(block).get(":status") == "200"


@functools.lru_cache(16)
def status(trailers: bytes) -> Status:
    """What the last headers of an answer say about the call.

    Raises:
        Broken: They don't say how it ended.
    """
    found = _decoded(trailers)
    code = found.get("grpc-status", "")
    if not (code.isascii() and code.isdigit()):
        raise Broken("an answer ends without a status")
    # Whatever can't be read of the details is as good as none.
    details = None
    with contextlib.suppress(binascii.Error, ValueError):
        encoded = found.get("grpc-status-details-bin", "")
        details = base64.b64decode(encoded + "=" * (-len(encoded) % 4), validate=True) or None
    return Status(int(code), urllib.parse.unquote(found.get("grpc-message", "")), details)


@functools.lru_cache(16)
def _pseudo_headers(path: str, authority: str) -> bytes:
    named = ((":method", "POST"), (":scheme", "http"), (":path", path), (":authority", authority))
    return b"".join(map(_literal, (*named, ("content-type", "application/grpc"), ("te", "trailers"))))


def _literal(header: tuple[str, str]) -> bytes:
    """A header in HPACK that no table has or gets."""
    name, value = (text.encode() for text in header)
    return b"".join((b"\x10", _length(name), name, _length(value), value))


def _length(text: bytes) -> bytes:
    """The length of a text that is written without Huffman's code: seven bits, or as many as it needs."""
    left = len(text) - 0x7F
    if left < 0:
        return bytes((len(text),))
    encoded = bytearray((0x7F,))
    while left >= 0x80:
        encoded.append(left & 0x7F | 0x80)
        left >>= 7
    encoded.append(left)
    return bytes(encoded)


def _decoded(block: bytes) -> dict[str, str]:
    """What a block of headers says.

    Raises:
        Broken: It is none.
    """
    decoder = hpack.Decoder(MOST_HEADER_BYTES)
    decoder.header_table_size = decoder.max_allowed_table_size = 0
    try:
        return {str(name, "latin-1"): str(value, "latin-1") for name, value in decoder.decode(block, raw=True)}
    except hpack.HPACKError as error:
        raise Broken(f"headers are malformed: {error}") from None
