"""Messages that are sent over connections for one call at a time: only as many as the server takes."""

from __future__ import annotations

import array
import contextlib
import random
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Sequence

import hypothesis
import hypothesis.strategies as st
import pytest

import http2_peer as peer
from http2_peer import (
    ACK,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    RESET,
    SETTINGS,
    WINDOW,
    answered,
    block,
    frame,
    message,
)
from polarway import _http2
from polarway._headers import Broken, Status
from polarway._http2 import Connection
from polarway._memory import place_message
from polarway._pieces import Pieces, send_all
from polarway._wire import Bytes

FIRST_WINDOW = 65_535
WINDOW_SETTING, FRAME_SETTING = 4, 5


def settings(**values: int) -> bytes:
    names = {"window": WINDOW_SETTING, "frame": FRAME_SETTING}
    return frame(SETTINGS, 0, 0, b"".join(struct.pack(">HI", names[name], value) for name, value in values.items()))


def window(stream: int, size: int) -> bytes:
    return frame(WINDOW, 0, stream, struct.pack(">I", size))


class Taker:
    """A server that takes messages, and fails if it is sent more than it allowed."""

    def __init__(self, theirs: socket.socket, most_of_frame: int = 16 << 10) -> None:
        self._reader = theirs.makefile("rb")
        self._socket = theirs
        self._most_of_frame = most_of_frame
        self.each = FIRST_WINDOW
        """What a new stream may be sent."""
        self.allowed = {0: FIRST_WINDOW}
        self.content = b""
        """What the current stream was sent."""
        assert self._reader.read(len(peer.PREFACE)) == peer.PREFACE

    def take(self) -> tuple[int, int]:
        """Takes a frame, and tells its kind and its flags."""
        head = self._reader.read(9)
        size = int.from_bytes(head[:3], "big")
        kind, flags, stream = struct.unpack_from(">BBI", head, 3)
        payload = self._reader.read(size)
        if kind == HEADERS:
            self.allowed[stream] = self.each
            self.content = b""
        elif kind == DATA:
            assert size <= self._most_of_frame
            for one in (0, stream):
                self.allowed[one] -= size
                assert self.allowed[one] >= 0
            self.content += payload
        return kind, flags

    def take_until(self, wanted: Callable[[int, int], bool]) -> None:
        """Takes frames, up to the one that is wanted."""
        while not wanted(*self.take()):
            pass

    def allow(self, stream: int, size: int) -> None:
        self.allowed[stream] += size
        self._socket.sendall(window(stream, size))


def is_end(kind: int, flags: int) -> bool:
    return kind == DATA and bool(flags & END_STREAM)


def is_beginning(kind: int, _flags: int) -> bool:
    return kind == HEADERS


def is_question(kind: int, flags: int) -> bool:
    return kind == PING and not flags & ACK


@contextlib.contextmanager
def serving(serve: Callable[[socket.socket], None], first: bytes = b"") -> Iterator[Connection]:
    """A connection to a server that sends something first, then does this, and must have done it well."""
    failed: list[BaseException] = []

    def run() -> None:
        try:
            serve(theirs)
        except BaseException as error:
            failed.append(error)
            theirs.shutdown(socket.SHUT_RDWR)

    ours, theirs = socket.socketpair()
    theirs.sendall(first)
    connection = Connection(ours, "peer:1", place_message)
    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield connection
    finally:
        connection.close()
        thread.join(60)
        theirs.close()
    assert failed == []


def upload(connection: Connection, *messages: Sequence[Bytes]) -> list[bytes]:
    """Sends an upload, and receives the answer."""
    connection.begin("/service/Method", (("name", "value"),), None)
    for one in messages:
        if not connection.send(one):
            break
    connection.finish()
    return peer.all_of(connection)


CONTENT = random.Random(7).randbytes(1_000_000)


@pytest.mark.parametrize(
    ("window_bytes", "frame_bytes"), [(FIRST_WINDOW, 16 << 10), (17_000, 1 << 20), (2 << 20, 1 << 20)]
)
def test_no_more_is_sent_than_the_server_allows(window_bytes: int, frame_bytes: int) -> None:
    sent = [[CONTENT[:1]], [CONTENT[:300_000], b"", CONTENT[300_000:]], [b""], [CONTENT[:70_000]]]
    sizes = random.Random(11)

    def serve(theirs: socket.socket) -> None:
        taker = Taker(theirs, frame_bytes)
        taker.each = window_bytes
        for stream in (1, 3):
            taker.take_until(is_beginning)
            while True:
                for one in (0, stream):
                    if taker.allowed[one] < 100_000:
                        taker.allow(one, sizes.randint(1, 200_000))
                if is_end(*taker.take()):
                    break
            assert taker.content == b"".join(message(b"".join(one)) for one in sent)
            theirs.sendall(answered(b"done", stream=stream))

    with serving(serve, settings(window=window_bytes, frame=frame_bytes)) as connection:
        for _ in range(2):
            assert upload(connection, *sent) == [b"done"]
            assert connection.status == Status(0, "", None)
            assert connection.is_reusable


def test_a_window_that_shrinks_in_the_middle_is_kept_to() -> None:
    def serve(theirs: socket.socket) -> None:
        taker = Taker(theirs)
        while len(taker.content) < FIRST_WINDOW:
            taker.take()
        # That of the stream is below zero now, and what is allowed first only makes up for that.
        theirs.sendall(settings(window=10_000) + window(1, 55_535) + window(1, 30_000) + window(0, 1 << 20))
        taker.allowed = {0: 1 << 20, 1: 30_000}
        while len(taker.content) < FIRST_WINDOW + 30_000:
            taker.take()
        taker.allow(1, 1 << 20)
        taker.take_until(is_end)
        assert taker.content == message(CONTENT[:200_000])
        theirs.sendall(answered(b"done"))

    with serving(serve) as connection:
        assert upload(connection, [CONTENT[:200_000]]) == [b"done"]


@pytest.mark.parametrize("code", [0, 6])
def test_an_answer_that_comes_early_ends_the_upload(code: int) -> None:
    early = answered(b"early", status=[("grpc-status", str(code))]) + frame(RESET, 0, 1, struct.pack(">I", 0))

    def serve(theirs: socket.socket) -> None:
        Taker(theirs).take_until(is_beginning)
        theirs.sendall(early)
        while theirs.recv(1 << 16):
            pass

    with serving(serve) as connection:
        # There is no room for all of it.
        assert upload(connection, [CONTENT]) == [b"early"]
        assert connection.status == Status(code, "", None)
        # The server may still wait for the rest.
        assert not connection.is_reusable


def test_a_server_that_asks_is_answered_while_messages_are_sent() -> None:
    def serve(theirs: socket.socket) -> None:
        taker = Taker(theirs)
        taker.take_until(is_beginning)
        theirs.sendall(frame(PING, 0, 0, b"is there") + frame(99, 0, 0, b"what later versions may have"))
        taker.take_until(lambda kind, flags: kind == PING and flags == ACK)
        taker.allow(0, 1 << 20)
        taker.allow(1, 1 << 20)
        taker.take_until(is_end)
        theirs.sendall(answered(b"done"))

    with serving(serve) as connection:
        assert upload(connection, [CONTENT]) == [b"done"]


@pytest.fixture
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_http2, "_SILENCE_S", 0.1)


@pytest.mark.usefixtures("_impatience")
def test_a_server_that_takes_its_time_is_asked_and_waited_for() -> None:
    def serve(theirs: socket.socket) -> None:
        taker = Taker(theirs)
        for _ in range(3):
            taker.take_until(is_question)
            theirs.sendall(frame(PING, ACK, 0, bytes(8)))
        taker.allow(0, 1 << 20)
        taker.allow(1, 1 << 20)
        taker.take_until(is_end)
        # The same while it makes its answer.
        for _ in range(3):
            taker.take_until(is_question)
            theirs.sendall(frame(PING, ACK, 0, bytes(8)))
        theirs.sendall(answered(b"done"))

    with serving(serve) as connection:
        assert upload(connection, [CONTENT]) == [b"done"]


@pytest.mark.usefixtures("_impatience")
@pytest.mark.parametrize("room", [0, 1 << 20])
def test_a_server_that_answers_no_question_is_given_up(room: int) -> None:
    def serve(theirs: socket.socket) -> None:
        taker = Taker(theirs)
        taker.take_until(is_beginning)
        taker.allow(0, room)
        taker.allow(1, room)
        taker.take_until(is_question)

    with serving(serve) as connection, pytest.raises(Broken, match="the server is silent"):
        upload(connection, [CONTENT])


@pytest.mark.usefixtures("_impatience")
def test_a_server_that_reads_nothing_is_given_up() -> None:
    most = settings(window=(1 << 31) - 1) + window(0, (1 << 31) - 1 - FIRST_WINDOW)
    with serving(lambda _: None, most) as connection, pytest.raises(Broken, match="the server takes nothing"):
        upload(connection, *[[CONTENT]] * 1_000)


BREAKS = {
    "a reset": (frame(RESET, 0, 1, struct.pack(">I", 7)), "ended the call with error 7"),
    "a farewell for an error": (frame(GOAWAY, 0, 0, struct.pack(">II", 1, 2)), "ended the connection with error 2"),
    "a proxy's error": (frame(HEADERS, END_HEADERS | END_STREAM, 1, block((":status", "413"))), "no success of HTTP"),
    "data without headers": (frame(DATA, 0, 1, message(b"x")), "nothing calls for"),
    "no HTTP/2": (b"HTTP/1.1 400 Bad Request\r\n\r\n", "a frame of"),
    "a window that is cut off": (frame(WINDOW, 0, 0, b"\0\0"), "a window's frame has another size"),
    "nothing": (b"", "the connection ended"),
}


@pytest.mark.parametrize(("sent", "told"), BREAKS.values(), ids=BREAKS)
def test_what_ends_an_upload_is_named(sent: bytes, told: str) -> None:
    def serve(theirs: socket.socket) -> None:
        Taker(theirs).take_until(is_beginning)
        theirs.sendall(sent)
        theirs.shutdown(socket.SHUT_WR)

    with serving(serve) as connection, pytest.raises(Broken, match=told):
        upload(connection, [CONTENT])


@hypothesis.given(st.lists(st.binary(max_size=30)), st.lists(st.integers(0, 20)))
def test_pieces_are_taken_in_their_order_whatever_their_sizes(pieces: list[bytes], sizes: list[int]) -> None:
    whole = b"".join(pieces)
    left = Pieces(pieces)
    taken = b""
    for size in sizes:
        part = b"".join(left.take(size))
        assert len(part) == min(size, len(whole) - len(taken))
        taken += part
        assert left.size == len(whole) - len(taken)
    assert taken + b"".join(left.take(len(whole))) == whole


def test_pieces_are_counted_in_bytes() -> None:
    numbers = array.array("q", range(3))
    left = Pieces([memoryview(numbers)])
    assert left.size == 24
    assert b"".join(left.take(24)) == numbers.tobytes()


def test_any_number_of_pieces_is_sent() -> None:
    pieces = [CONTENT[start : start + 300] for start in range(0, len(CONTENT), 300)]
    received = bytearray()

    def receive() -> None:
        while part := theirs.recv(1 << 16):
            received.extend(part)

    ours, theirs = socket.socketpair()
    with theirs:
        thread = threading.Thread(target=receive)
        thread.start()
        with ours:
            send_all(ours, pieces)
        thread.join(60)
    assert bytes(received) == CONTENT
