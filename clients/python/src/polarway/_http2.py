"""HTTP/2 for one call of gRPC at a time, on a socket of its own.

grpcio hands each part of a message from one of its threads to another, and copies it more than once. Here the thread
that waits for a message reads it from the socket to where it stays, and one that sends gives the socket the pieces of a
message as they lie in memory, both without Python's lock. This module knows neither retries nor what a call means;
whatever is not as expected is a `Broken`.
"""

from __future__ import annotations

import contextlib
import os
import socket
import struct
from collections.abc import Callable, Sequence
from typing import Final

from polarway import _headers
from polarway._headers import MOST_HEADER_BYTES, Broken, Status
from polarway._pieces import Pieces, send_all
from polarway._transport import Headers
from polarway._wire import Bytes

Place = Callable[[memoryview, int], memoryview]
"""Gives memory for a message, whose first bytes and whose size are known."""

MOST_REQUEST_BYTES: Final = 16 << 10
"""What any server takes before it has told its limits: a frame of headers, and one with the request."""

MOST_MESSAGE_BYTES: Final = 256 << 20
"""The longest message. The server's are far shorter."""

# A server's message is seldom longer, and then it is one frame.
_FRAME_BYTES: Final = 1 << 20
# What may be on its way to this client.
_WINDOW_BYTES: Final = 16 << 20
# What a stream and a connection may be sent before more is allowed, as HTTP/2 has it.
_FIRST_WINDOW_BYTES: Final = 65_535
_MOST_WINDOW_BYTES: Final = (1 << 31) - 1
# The longest frame that a server takes which has not said more.
_FIRST_FRAME_BYTES: Final = 16 << 10
# What is read with the head of a frame, and copied. The rest of the frame is read to where it stays.
_BUFFER_BYTES: Final = 8 << 10
# How much of a message is shown to whoever gives it memory.
_HEAD_BYTES: Final = 64
# A message begins with a byte that tells whether it is compressed, and with its length.
_PREFIX: Final = struct.Struct(">BI")
# A frame begins with its length in two parts, its type, its flags and its stream.
_FRAME_HEAD: Final = struct.Struct(">HBBBI")
# How long a server may be silent that has to take messages or to answer. After that it is asked whether it is there,
# and may be silent for as long once more. It is so with gRPC, too.
_SILENCE_S: Final = 5.0
# A connection that has had so many streams is given up before their numbers end.
_LAST_STREAM: Final = 1 << 30

_PREFACE: Final = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_DATA: Final = 0
_HEADERS: Final = 1
_RST_STREAM: Final = 3
_SETTINGS: Final = 4
_PUSH_PROMISE: Final = 5
_PING: Final = 6
_GOAWAY: Final = 7
_WINDOW_UPDATE: Final = 8
_CONTINUATION: Final = 9

_END_STREAM: Final = 0x1
_ACK: Final = 0x1
_END_HEADERS: Final = 0x4
_PADDED: Final = 0x8
_PRIORITY: Final = 0x20

_SETTING_HEADER_TABLE: Final = 1
_SETTING_PUSH: Final = 2
_SETTING_WINDOW: Final = 4
_SETTING_FRAME: Final = 5
_SETTING_HEADERS: Final = 6

_ERROR_NONE: Final = 0


class Connection:
    """A connection, for one call at a time. One thread uses it; others may abort it."""

    def __init__(self, connected: socket.socket, authority: str, place: Place) -> None:
        self._socket = connected
        self._process = os.getpid()
        self._authority = authority
        self._place = place
        self._buffer = memoryview(bytearray(_BUFFER_BYTES))
        # The part of the buffer that was not taken yet.
        self._start = self._end = 0
        # What goes out with the next request.
        self._waiting = _beginning()
        # The stream of the current call, by its number; they are odd.
        self._stream = -1
        # The bytes of the current frame of data that were not taken, and those of its padding.
        self._left = self._padding = 0
        # Whether the server has begun to answer, and whether it has ended.
        self._is_answered = self._is_last = False
        self._trailers = b""
        # What came since the server was last told that it may send as much more.
        self._taken_of_stream = self._taken_of_connection = 0
        # What the server takes from this client: all streams together, the current one, each new one, and one frame.
        self._room = self._room_of_stream = self._first_room_of_stream = _FIRST_WINDOW_BYTES
        self._most_of_frame = _FIRST_FRAME_BYTES
        # Whether all of the current request was sent.
        self._is_sent = False
        # Whether the server makes no more calls on this connection.
        self._is_leaving = False
        self.status: Status | None = None
        """How the last call ended; `None` until it has."""

    def begin(self, path: str, headers: Headers, message: bytes | None) -> None:
        """Sends a request. Without a message it is the beginning of one whose messages are sent next.

        Raises:
            Broken: It can't be sent over this connection.
            OSError: The connection broke.
        """
        block = _headers.request(path, self._authority, headers)
        if max(len(block), _PREFIX.size + len(message or b"")) > MOST_REQUEST_BYTES:
            raise Broken("the request is too long")
        self._stream += 2
        self._left = self._padding = self._taken_of_stream = 0
        self._is_answered = self._is_last = False
        self._trailers, self.status = b"", None
        self._room_of_stream = self._first_room_of_stream
        self._is_sent = message is not None
        self._waiting += _frame_head(_HEADERS, _END_HEADERS, self._stream, len(block)) + block
        if message is None:
            # It goes out with the first of them.
            self._socket.settimeout(2 * _SILENCE_S)
            return
        size = _PREFIX.size + len(message)
        self._room -= size
        self._send(_frame_head(_DATA, _END_STREAM, self._stream, size), _PREFIX.pack(0, len(message)), message)

    def send(self, message: Sequence[Bytes]) -> bool:
        """Sends a message, which is in pieces, as fast as the server takes it.

        Returns:
            Whether more may be sent; if not, the server has begun to answer.

        Raises:
            Broken: The server is silent, or what comes is no answer.
            OSError: The connection broke.
        """
        left = Pieces(message)
        left = Pieces([_PREFIX.pack(0, left.size), *message])
        while left.size:
            room = min(self._room, self._room_of_stream)
            self._take_what_came(waits=room <= 0)
            if self._is_answered:
                return False
            room = min(left.size, self._room, self._room_of_stream)
            if room <= 0:
                continue
            self._room -= room
            self._room_of_stream -= room
            sent: list[Bytes] = []
            while room:
                size = min(room, self._most_of_frame)
                room -= size
                sent += [_frame_head(_DATA, 0, self._stream, size), *left.take(size)]
            try:
                self._send(*sent)
            except TimeoutError:
                raise Broken("the server takes nothing") from None
        return True

    def finish(self) -> None:
        """Says that all messages are sent, and waits until the server begins to answer.

        Raises:
            Broken: The server is silent, or what comes is no answer.
            OSError: The connection broke.
        """
        self._is_sent = not self._is_answered
        if self._is_sent:
            self._send(_frame_head(_DATA, _END_STREAM, self._stream, 0))
        while not self._is_answered:
            self._take_what_came(waits=True)
        self._socket.settimeout(None)

    def next(self) -> memoryview | None:
        """Waits for the next message; `None` is the end of the call, with `status`.

        Raises:
            Broken: What comes is no message.
            OSError: The connection broke.
        """
        if not self._find_data():
            self.status = _headers.status(self._trailers)
            return None
        is_compressed, size = _PREFIX.unpack(self._shown(_PREFIX.size))
        if is_compressed or size > MOST_MESSAGE_BYTES:
            raise Broken("a message is compressed or too long")
        if size == 0:
            # A heartbeat.
            return memoryview(b"")
        known = self._shown(min(size, _HEAD_BYTES))
        message = self._place(known, size)
        message[: len(known)] = known
        self._read(message[len(known) :])
        return message

    @property
    def is_reusable(self) -> bool:
        """Whether another call can be made, after the end of the last one."""
        is_over = self.status is not None and self._is_sent and not self._is_leaving and self._stream < _LAST_STREAM
        return is_over and min(self._room, self._first_room_of_stream) >= MOST_REQUEST_BYTES

    @property
    def is_quiet(self) -> bool:
        """Whether nothing came since the last call. Otherwise it ended, or the server asks whether anybody is there."""
        time_limit = self._socket.gettimeout()
        self._socket.setblocking(False)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        finally:
            self._socket.settimeout(time_limit)
        return False

    def abort(self) -> None:
        """Ends the connection, whoever waits for it. It can be called in any thread."""
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Ends the connection and frees the socket. To close twice does nothing.

        In a process that was forked, the connection goes on, as that of the other one.
        """
        if os.getpid() == self._process:
            # Also if a process that was forked has a copy of the socket.
            self.abort()
        self._socket.close()

    def __del__(self) -> None:
        # Nobody reads the answer any more.
        self.close()

    def _send(self, *pieces: Bytes) -> None:
        """Sends what waits, and then these bytes."""
        waiting, self._waiting = self._waiting, b""
        if sum(map(len, pieces)) <= MOST_REQUEST_BYTES:
            self._socket.sendall(b"".join((waiting, *pieces)))
        else:
            send_all(self._socket, (waiting, *pieces))

    def _take_what_came(self, *, waits: bool) -> None:
        """Reads the frames that came while messages are sent, up to the beginning of an answer.

        Args:
            waits: Whether to wait for one at least.
        """
        while not self._is_answered:
            if self._start == self._end and self.is_quiet:
                if not waits:
                    return
                self._wait()
            self._read_frame()
            waits = False

    def _wait(self) -> None:
        """Waits until something comes."""
        time_limit = self._socket.gettimeout()
        self._socket.settimeout(_SILENCE_S)
        try:
            self._socket.recv(1, socket.MSG_PEEK)
        except TimeoutError:
            self._send(_frame_head(_PING, 0, 0, 8), bytes(8))
            try:
                self._socket.recv(1, socket.MSG_PEEK)
            except TimeoutError:
                raise Broken("the server is silent") from None
        finally:
            self._socket.settimeout(time_limit)

    def _shown(self, size: int) -> memoryview:
        """The next bytes of messages. They stay until more is read."""
        start, end = self._start, self._start + size
        if size <= self._left and end <= self._end:
            self._start = end
            self._left -= size
            return self._buffer[start:end]
        shown = memoryview(bytearray(size))
        self._read(shown)
        return shown

    def _read(self, target: memoryview) -> None:
        """Fills this memory with the next bytes of messages."""
        while target:
            if not self._find_data():
                raise Broken("the answer ends in the middle of a message")
            size = min(len(target), self._left)
            self._take(target[:size])
            self._left -= size
            target = target[size:]

    def _find_data(self) -> bool:
        """Reads frames up to one with data that was not taken, and tells whether there is one."""
        while self._left == 0:
            if self._padding:
                self._skip(self._padding)
                self._padding = 0
            if self._is_last:
                return False
            self._read_frame()
        return True

    def _read_frame(self) -> None:
        """Reads a frame, of one with data only its beginning."""
        high, low, kind, flags, stream = _FRAME_HEAD.unpack(self._taken(_FRAME_HEAD.size))
        size = high << 8 | low
        stream &= 0x7FFF_FFFF
        if size > _FRAME_BYTES:
            raise Broken(f"a frame of {size} bytes")
        if kind == _DATA:
            self._begin_data(size, flags, stream)
        elif kind == _HEADERS:
            self._take_headers(self._header_block(size, flags, stream), flags, stream)
        elif kind == _SETTINGS:
            self._take_settings(self._payload(size), flags)
        elif kind == _PING:
            self._take_ping(self._payload(size), flags)
        elif kind == _WINDOW_UPDATE:
            self._take_window(self._payload(size), stream)
        elif kind == _GOAWAY:
            self._take_goaway(self._payload(size))
        elif kind == _RST_STREAM:
            self._take_reset(self._payload(size), stream)
        elif kind in (_PUSH_PROMISE, _CONTINUATION):
            raise Broken(f"a frame of type {kind} that nothing calls for")
        else:
            # PRIORITY, and what later versions may have.
            self._skip(size)

    def _begin_data(self, size: int, flags: int, stream: int) -> None:
        if stream != self._stream or not self._is_answered:
            raise Broken("a frame of data that nothing calls for")
        self._taken_of_stream += size
        self._taken_of_connection += size
        if flags & _PADDED:
            padding = self._payload(1)[0] if size else 0
            if padding >= size:
                raise Broken("a frame has more padding than bytes")
            size, self._padding = size - 1 - padding, padding
        self._left, self._is_last = size, bool(flags & _END_STREAM)
        if max(self._taken_of_stream, self._taken_of_connection) >= _WINDOW_BYTES // 2:
            self._give_window()

    def _give_window(self) -> None:
        """Lets the server send as much as came."""
        for stream, taken in ((0, self._taken_of_connection), (self._stream, self._taken_of_stream)):
            # A window does not grow by nothing.
            if taken and not (stream and self._is_last):
                self._waiting += _frame_head(_WINDOW_UPDATE, 0, stream, 4) + struct.pack(">I", taken)
        self._taken_of_stream = self._taken_of_connection = 0
        self._send()

    def _header_block(self, size: int, flags: int, stream: int) -> bytes:
        """The block of a frame of headers, and of those that continue it."""
        block = self._payload(size)
        padding = 0
        if flags & _PADDED:
            padding, block = block[0] if block else 1, block[1:]
        if flags & _PRIORITY:
            padding, block = padding if len(block) >= 5 else len(block) + 1, block[5:]
        if padding > len(block):
            raise Broken("a frame has more padding than bytes")
        block = block[: len(block) - padding]
        while not flags & _END_HEADERS:
            high, low, kind, flags, continued = _FRAME_HEAD.unpack(self._taken(_FRAME_HEAD.size))
            part = high << 8 | low
            size += part
            if kind != _CONTINUATION or continued & 0x7FFF_FFFF != stream:
                raise Broken("headers are not continued")
            if size > MOST_HEADER_BYTES:
                raise Broken("too many headers")
            block += self._payload(part)
        return block

    def _take_headers(self, block: bytes, flags: int, stream: int) -> None:
        if stream != self._stream or self._is_last:
            raise Broken("headers that nothing calls for")
        self._is_last = bool(flags & _END_STREAM)
        if not self._is_answered:
            # A proxy that fails answers with another one. Most answers need not be decoded to know that.
            if not _headers.is_success(block):
                raise Broken("the answer is no success of HTTP")
            self._is_answered = True
        elif not self._is_last:
            raise Broken("headers in the middle of an answer")
        if self._is_last:
            self._trailers = block

    def _take_settings(self, payload: bytes, flags: int) -> None:
        if flags & _ACK:
            return
        if len(payload) % 6:
            raise Broken("settings are cut off")
        for name, value in struct.iter_unpack(">HI", payload):
            if name == _SETTING_WINDOW:
                self._room_of_stream += value - self._first_room_of_stream
                self._first_room_of_stream = value
            elif name == _SETTING_FRAME:
                self._most_of_frame = max(value, _FIRST_FRAME_BYTES)
        self._send(_frame_head(_SETTINGS, _ACK, 0, 0))

    def _take_ping(self, payload: bytes, flags: int) -> None:
        if len(payload) != 8:
            raise Broken("a ping has another size")
        if not flags & _ACK:
            self._send(_frame_head(_PING, _ACK, 0, 8), payload)

    def _take_window(self, payload: bytes, stream: int) -> None:
        if len(payload) != 4:
            raise Broken("a window's frame has another size")
        room = int.from_bytes(payload, "big") & 0x7FFF_FFFF
        if stream == 0:
            self._room += room
        elif stream == self._stream:
            self._room_of_stream += room

    def _take_goaway(self, payload: bytes) -> None:
        if len(payload) < 8:
            raise Broken("a farewell is cut off")
        last, error = struct.unpack_from(">II", payload)
        # A server that ends finishes the calls that it has begun.
        self._is_leaving = True
        if last & 0x7FFF_FFFF < self._stream or error != _ERROR_NONE:
            raise Broken(f"the server ended the connection with error {error}")

    def _take_reset(self, payload: bytes, stream: int) -> None:
        if len(payload) != 4:
            raise Broken("a reset has another size")
        # That of an earlier stream comes behind its answer.
        if stream == self._stream:
            raise Broken(f"the server ended the call with error {int.from_bytes(payload, 'big')}")

    def _payload(self, size: int) -> bytes:
        if size > MOST_HEADER_BYTES:
            raise Broken(f"a frame of {size} bytes")
        return self._taken(size)

    def _skip(self, size: int) -> None:
        while size:
            part = min(size, _BUFFER_BYTES)
            self._taken(part)
            size -= part

    def _taken(self, size: int) -> bytes:
        """The next bytes of the connection."""
        start = self._start
        if size <= self._end - start:
            self._start = start + size
            return bytes(self._buffer[start : start + size])
        taken = bytearray(size)
        self._take(memoryview(taken))
        return bytes(taken)

    def _take(self, target: memoryview) -> None:
        """Fills this memory with the next bytes of the connection."""
        size = min(len(target), self._end - self._start)
        target[:size] = self._buffer[self._start : self._start + size]
        self._start += size
        while size < len(target):
            if len(target) - size >= _BUFFER_BYTES:
                size += self._received(target[size:])
                continue
            self._start, self._end = 0, self._received(self._buffer, 0)
            part = min(len(target) - size, self._end)
            target[size : size + part] = self._buffer[:part]
            self._start = part
            size += part

    def _received(self, target: memoryview, flags: int = socket.MSG_WAITALL) -> int:
        """Receives into this memory, with `MSG_WAITALL` until it is full, and says how much."""
        count = self._socket.recv_into(target, 0, flags)
        if count == 0:
            raise Broken("the connection ended")
        return count


def _beginning() -> bytes:
    """What a connection begins with."""
    settings = (
        # So the same headers are the same bytes each time.
        (_SETTING_HEADER_TABLE, 0),
        (_SETTING_PUSH, 0),
        (_SETTING_WINDOW, _WINDOW_BYTES),
        (_SETTING_FRAME, _FRAME_BYTES),
        (_SETTING_HEADERS, MOST_HEADER_BYTES),
    )
    payload = b"".join(struct.pack(">HI", *setting) for setting in settings)
    return b"".join(
        (
            _PREFACE,
            _frame_head(_SETTINGS, 0, 0, len(payload)),
            payload,
            # The window of the stream alone bounds what is on its way.
            _frame_head(_WINDOW_UPDATE, 0, 0, 4),
            struct.pack(">I", _MOST_WINDOW_BYTES - _FIRST_WINDOW_BYTES),
        )
    )


def _frame_head(kind: int, flags: int, stream: int, size: int) -> bytes:
    return _FRAME_HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream)
