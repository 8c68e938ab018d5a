"""Connections for one call at a time: what a server may send, and what it may not."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Callable

import hpack
import hypothesis
import hypothesis.strategies as st
import pyarrow as pa
import pytest

import http2_peer as peer
from http2_peer import (
    ACK,
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    OK,
    PADDED,
    PING,
    PRIORITY,
    PUSH,
    RESET,
    SETTINGS,
    WINDOW,
    WITH_PRIORITY,
    answered,
    block,
    frame,
    message,
)
from polarway import _headers
from polarway._generated import messages
from polarway._headers import Broken, Status
from polarway._http2 import Connection
from polarway._memory import ALIGNMENT, place_message
from polarway._wire import decode, encode

LAST = frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "0")))
FIRST = frame(HEADERS, END_HEADERS, 1, OK)


def decoded(encoded: bytes) -> list[tuple[str, str]]:
    return [(str(name), str(value)) for name, value in hpack.Decoder().decode(encoded)]


def test_a_request_has_its_headers_and_its_message() -> None:
    long = "v" * 5_000
    ours, theirs = socket.socketpair()
    with theirs:
        connection = Connection(ours, "host:80", place_message)
        connection.begin("/service/Method", (("authorization", "Bearer x"), ("x-long", long)), b"request")
        sent = theirs.recv(1 << 16)
        connection.close()
    assert sent.startswith(peer.PREFACE)
    (settings, window, headers, data) = peer.frames(sent)
    assert (settings[0], window[0]) == (SETTINGS, WINDOW)
    assert headers[:3] == (HEADERS, END_HEADERS, 1)
    assert decoded(headers[3]) == [
        (":method", "POST"),
        (":scheme", "http"),
        (":path", "/service/Method"),
        (":authority", "host:80"),
        ("content-type", "application/grpc"),
        ("te", "trailers"),
        ("authorization", "Bearer x"),
        ("x-long", long),
    ]
    assert data == (DATA, END_STREAM, 1, message(b"request"))


@pytest.mark.parametrize("size", [0, 1, 126, 127, 128, 254, 255, 256, 16_000])
def test_a_header_of_any_length_is_read_as_it_was_written(size: int) -> None:
    encoded = _headers._literal(("name", "v" * size))
    assert decoded(encoded) == [("name", "v" * size)]


def test_a_request_that_a_server_need_not_take_is_not_sent() -> None:
    with peer.connected() as (connection, theirs):
        theirs.recv(1 << 16)
        for headers, request in (((("name", "v" * (17 << 10)),), b""), ((), bytes(17 << 10))):
            with pytest.raises(Broken, match="too long"):
                connection.begin("/service/Method", headers, request)
        connection.begin("/service/Method", (), b"short")
        assert [found[0] for found in peer.frames(theirs.recv(1 << 16))] == [HEADERS, DATA]


@st.composite
def answers(draw: st.DrawFn) -> tuple[list[bytes], bytes, int]:
    """Messages, the frames that they come in, and how many of these the client answers."""
    contents = draw(st.lists(st.binary(max_size=300) | st.integers(0, 100_000).map(bytes), max_size=5))
    stream = b"".join(map(message, contents))
    cuts = sorted(draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    parts = [stream[a:b] for a, b in zip([0, *cuts], [*cuts, len(stream)], strict=True)]
    replies = 0

    def other() -> bytes:
        nonlocal replies
        kind = draw(
            st.sampled_from(["none", "none", "ping", "settings", "window", "unknown", "ack", "priority", "old"])
        )
        replies += kind in ("ping", "settings")
        return {
            "none": b"",
            "ping": frame(PING, 0, 0, b"12345678"),
            "settings": frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 70_000)),
            "window": frame(WINDOW, 0, 0, struct.pack(">I", 5)),
            "unknown": frame(0xB0, 0xFF, 7, bytes(30_000)),
            "ack": frame(SETTINGS, ACK) + frame(PING, ACK, 0, b"12345678"),
            "priority": frame(PRIORITY, 0, 1, bytes(5)),
            "old": frame(RESET, 0, 99, bytes(4)),
        }[kind]

    def headers(encoded: bytes, flags: int) -> bytes:
        cut = draw(st.integers(0, len(encoded)))
        pieces = [encoded[:cut], encoded[cut:]]
        if draw(st.booleans()):
            flags |= WITH_PRIORITY
            pieces[0] = bytes(5) + pieces[0]
        if draw(st.booleans()):
            flags |= PADDED
            pieces[0] = b"\x03" + pieces[0] + bytes(3)
        return frame(HEADERS, flags, 1, pieces[0]) + frame(CONTINUATION, END_HEADERS, 1, pieces[1])

    sent = [other(), headers(block((":status", "200"), ("content-type", "application/grpc")), 0), other()]
    for part in parts:
        # A frame has 1 MiB at the most.
        padding = draw(st.none() | st.integers(0, 255))
        if padding is None:
            sent.append(frame(DATA, 0, 1, part))
        else:
            sent.append(frame(DATA, PADDED, 1, bytes((padding,)) + part + bytes(padding)))
        sent.append(other())
    sent.append(headers(block(("grpc-status", "0")), END_STREAM))
    return contents, b"".join(sent), replies


def sending(theirs: socket.socket, sent: bytes) -> threading.Thread:
    """A thread that sends this, and nothing behind it."""

    def send() -> None:
        # Whoever has found a fault reads no more.
        with contextlib.suppress(OSError):
            theirs.sendall(sent)
            theirs.shutdown(socket.SHUT_WR)

    thread = threading.Thread(target=send)
    thread.start()
    return thread


@hypothesis.given(answers())
def test_messages_arrive_whole_in_frames_of_any_kind(answer: tuple[list[bytes], bytes, int]) -> None:
    contents, sent, replies = answer
    with peer.connected() as (connection, theirs):
        asked = len(theirs.recv(1 << 16))
        assert asked
        thread = sending(theirs, sent)
        assert peer.all_of(connection) == contents
        thread.join()
        assert connection.status == Status(0, "", None)
        assert connection.is_reusable
        replied = peer.frames(theirs.recv(1 << 16)) if replies else []
    assert [(kind, flags) for kind, flags, _, _ in replied if kind in (PING, SETTINGS)] == [
        (kind, ACK) for kind, _, _, _ in replied
    ]
    assert len(replied) == replies


@hypothesis.given(st.binary(max_size=200))
def test_what_is_no_http2_is_told(sent: bytes) -> None:
    with peer.connected() as (connection, theirs):
        sending(theirs, sent).join()
        with pytest.raises(Broken):
            peer.all_of(connection)


@hypothesis.given(st.data())
def test_a_damaged_answer_is_told_or_has_another_length(data: st.DataObject) -> None:
    """A damaged byte of a message can't be known from a right one. Nothing else than `Broken` may come of it."""
    whole = bytearray(answered(b"first" * 100, b"second" * 10))
    for _ in range(data.draw(st.integers(1, 3))):
        whole[data.draw(st.integers(0, len(whole) - 1))] = data.draw(st.integers(0, 255))
    with peer.connected() as (connection, theirs):
        sending(theirs, bytes(whole)).join()
        with contextlib.suppress(Broken):
            peer.all_of(connection)


def test_an_answer_that_ends_anywhere_is_told() -> None:
    whole = answered(b"first" * 10, b"second")
    for length in range(len(whole)):
        with peer.connected() as (connection, theirs):
            sending(theirs, whole[:length]).join()
            with pytest.raises(Broken):
                peer.all_of(connection)


MALFORMED = {
    "a longer frame than was allowed": (FIRST + b"\x20\x00\x00\x00\x00\x00\x00\x00\x01", "a frame of"),
    "more headers than are read": (frame(HEADERS, 0, 1, OK) + frame(CONTINUATION, 0, 1, bytes(40_000)) * 2, "too many"),
    "headers that something interrupts": (frame(HEADERS, 0, 1, OK) + frame(PING, 0, 0, bytes(8)), "not continued"),
    "headers continued for another stream": (frame(HEADERS, 0, 1, OK) + frame(CONTINUATION, 4, 3), "not continued"),
    "data before headers": (frame(DATA, 0, 1, message(b"x")), "nothing calls for"),
    "data of another stream": (FIRST + frame(DATA, 0, 3, message(b"x")), "nothing calls for"),
    "headers of another stream": (frame(HEADERS, END_HEADERS, 3, OK), "nothing calls for"),
    "headers behind the end": (FIRST + frame(DATA, END_STREAM, 1) + LAST, "without a status"),
    "headers in the middle": (FIRST + FIRST + LAST, "in the middle"),
    "a continuation of nothing": (frame(CONTINUATION, END_HEADERS, 1, OK), "nothing calls for"),
    "a push": (frame(PUSH, END_HEADERS, 1, bytes(4)), "nothing calls for"),
    "headers that are none": (frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff"), "malformed"),
    "trailers that are none": (FIRST + frame(HEADERS, END_HEADERS | END_STREAM, 1, b"\xbf"), "malformed"),
    "an answer of a proxy": (frame(HEADERS, END_HEADERS, 1, block((":status", "503"))), "no success of HTTP"),
    "an answer without a status": (FIRST + frame(DATA, END_STREAM, 1, message(b"x")), "without a status"),
    "a status that is none": (
        FIRST + frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "x"))),
        "without a status",
    ),
    "a page": (FIRST + frame(DATA, END_STREAM, 1, b"<html></html>"), "compressed or too long"),
    "a message that is compressed": (FIRST + frame(DATA, 0, 1, message(b"x", compressed=True)), "compressed or too"),
    "a message of 4 GB": (FIRST + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"), "compressed or too long"),
    "a message that is cut off": (FIRST + frame(DATA, 0, 1, message(b"abc")[:-1]) + LAST, "middle of a message"),
    "more padding than bytes": (FIRST + frame(DATA, PADDED, 1, b"\x05abc"), "more padding"),
    "padding without a byte for its length": (FIRST + frame(DATA, PADDED, 1), "more padding"),
    "headers with more padding than bytes": (frame(HEADERS, END_HEADERS | PADDED, 1, b"\x09" + OK), "more padding"),
    "headers without a byte for their padding": (frame(HEADERS, END_HEADERS | PADDED, 1), "more padding"),
    "headers with half a priority": (frame(HEADERS, END_HEADERS | WITH_PRIORITY, 1, bytes(4)), "more padding"),
    "settings that are cut off": (frame(SETTINGS, 0, 0, bytes(5)), "cut off"),
    "a ping of another size": (frame(PING, 0, 0, bytes(7)), "another size"),
    "a window of another size": (frame(WINDOW, 0, 0, bytes(3)), "another size"),
    "a farewell that is cut off": (frame(GOAWAY, 0, 0, bytes(7)), "cut off"),
    "a farewell for an error": (FIRST + frame(GOAWAY, 0, 0, struct.pack(">II", 1, 11)), "error 11"),
    "a farewell before the call": (frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)), "ended the connection"),
    "a reset": (FIRST + frame(RESET, 0, 1, struct.pack(">I", 7)), "ended the call with error 7"),
    "a reset of another size": (frame(RESET, 0, 1, bytes(3)), "another size"),
    "a control frame of 100 kB": (frame(SETTINGS, 0, 0, bytes(100_002)), "a frame of"),
    "nothing": (b"", "the connection ended"),
}


@pytest.mark.parametrize(("sent", "told"), MALFORMED.values(), ids=MALFORMED)
def test_what_a_server_may_not_send_is_named(sent: bytes, told: str) -> None:
    with peer.connected() as (connection, theirs):
        thread = sending(theirs, sent)
        with pytest.raises(Broken, match=told):
            peer.all_of(connection)
        connection.close()
        thread.join()
        assert not connection.is_reusable


def test_the_reason_of_a_failure_is_read_from_the_status() -> None:
    fields = (("grpc-status", "5"), ("grpc-message", "no%20caf%C3%A9%"), ("grpc-status-details-bin", "CAUSAQ"))
    with peer.connected() as (connection, theirs):
        theirs.sendall(answered(b"one", status=fields))
        assert peer.all_of(connection) == [b"one"]
        assert connection.status == Status(5, "no café%", b"\x08\x05\x12\x01")
        # Headers alone are an answer, too.
        connection.begin("/service/Method", (), b"")
        whole = block((":status", "200"), *fields[:2], ("grpc-status-details-bin", "no base64"))
        theirs.sendall(frame(HEADERS, END_HEADERS | END_STREAM, 3, whole))
        assert peer.all_of(connection) == []
        assert connection.status == Status(5, "no café%", None)


def test_a_server_that_leaves_finishes_the_call_and_gets_no_other() -> None:
    with peer.connected() as (connection, theirs):
        for last in (0x7FFF_FFFF, 1):
            theirs.sendall(frame(GOAWAY, 0, 0, struct.pack(">II", last, 0)))
        theirs.sendall(answered(b"one"))
        assert peer.all_of(connection) == [b"one"]
        assert connection.status == Status(0, "", None)
        assert not connection.is_reusable


def test_a_connection_is_quiet_until_something_comes() -> None:
    for sent in (frame(PING, 0, 0, bytes(8)), None):
        with peer.connected() as (connection, theirs):
            theirs.sendall(answered())
            assert peer.all_of(connection) == []
            assert connection.is_quiet
            # It still waits for what comes.
            connection.begin("/service/Method", (), b"")
            theirs.sendall(answered(stream=3))
            assert peer.all_of(connection) == []
            if sent is None:
                theirs.close()
            else:
                theirs.sendall(sent)
            assert not connection.is_quiet


def test_no_more_is_sent_than_the_server_takes() -> None:
    with peer.connected() as (connection, theirs):
        theirs.sendall(answered())
        peer.all_of(connection)
        calls = 0
        while connection.is_reusable:
            calls += 1
            connection.begin("/service/Method", (), bytes(10_000))
            theirs.recv(1 << 16)
            theirs.sendall(answered(stream=1 + 2 * calls))
            peer.all_of(connection)
        assert calls == 5
    with peer.connected() as (connection, theirs):
        # A server that takes nothing at first, and a connection whose window grows.
        theirs.sendall(frame(SETTINGS, 0, 0, struct.pack(">HI", 4, 0)) + answered())
        peer.all_of(connection)
        assert not connection.is_reusable


def test_a_server_that_sends_no_more_than_it_may_is_never_stuck() -> None:
    """Several calls on one connection together get more than its window, and each more than that of its stream."""
    content = bytes(range(256)) * 4096
    count = 50

    def serve(theirs: socket.socket) -> None:
        reader = theirs.makefile("rb")
        assert reader.read(len(peer.PREFACE)) == peer.PREFACE
        allowed = {0: 65_535}
        each = 65_535
        ended = 0

        def take() -> None:
            nonlocal each, ended
            head = reader.read(9)
            size, (kind, flags, stream) = int.from_bytes(head[:3], "big"), struct.unpack_from(">BBI", head, 3)
            payload = reader.read(size)
            if kind == SETTINGS and not flags & ACK:
                each = dict(struct.iter_unpack(">HI", payload)).get(4, each)
            elif kind == WINDOW:
                allowed[stream] = allowed.get(stream, 0) + int.from_bytes(payload, "big")
            elif kind == HEADERS:
                allowed[stream] = each
            elif kind == DATA and flags & END_STREAM:
                ended = stream

        for stream in (1, 3, 5):
            while ended != stream:
                take()
            theirs.sendall(frame(HEADERS, END_HEADERS, stream, OK))
            for _ in range(count):
                rest = message(content)
                while rest:
                    while not (size := min(len(rest), 1 << 20, allowed[0], allowed[stream])):
                        take()
                    theirs.sendall(frame(DATA, 0, stream, rest[:size]))
                    allowed[0] -= size
                    allowed[stream] -= size
                    rest = rest[size:]
            theirs.sendall(frame(HEADERS, END_HEADERS | END_STREAM, stream, block(("grpc-status", "0"))))

    ours, theirs = socket.socketpair()
    with theirs:
        thread = threading.Thread(target=serve, args=(theirs,))
        thread.start()
        connection = Connection(ours, "peer:1", place_message)
        for _ in range(3):
            connection.begin("/service/Method", (), b"")
            for _ in range(count):
                assert bytes(connection.next() or b"") == content
            assert connection.next() is None
        thread.join()
        connection.close()


def test_a_connection_is_ended_by_another_thread() -> None:
    with peer.connected() as (connection, theirs):
        theirs.sendall(FIRST)
        ending = threading.Timer(0.1, connection.abort)
        ending.start()
        with pytest.raises(Broken, match="the connection ended"):
            connection.next()
        ending.join()


def test_a_connection_that_nobody_has_any_more_is_closed() -> None:
    with peer.connected() as (_, theirs):
        pass
    ours, theirs = socket.socketpair()
    with theirs:
        connection: Connection | None = Connection(ours, "peer:1", place_message)
        assert connection is not None
        del ours
        connection = None
        assert theirs.recv(1) == b""


CHUNKS: dict[str, Callable[[bytes], messages.Chunk]] = {
    "first": lambda ipc: messages.Chunk(ipc=ipc, rows=3),
    "later": lambda ipc: messages.Chunk(ipc=ipc, first_row=1 << 40, rows=1 << 33),
}


@pytest.mark.parametrize("chunk", CHUNKS.values(), ids=CHUNKS)
@pytest.mark.parametrize("size", [5_000, 100_000, 3_000_000])
@pytest.mark.parametrize("header", [None, messages.LoadHeader(version=7, rows=1 << 40, time_us=1 << 50)])
def test_the_rows_of_a_message_are_aligned(
    chunk: Callable[[bytes], messages.Chunk], size: int, header: messages.LoadHeader | None
) -> None:
    sent = encode(messages.LoadResponse(chunk=chunk(b"i" * size), header=header))
    with peer.connected() as (connection, theirs):
        frames = [frame(DATA, 0, 1, part) for part in (message(sent)[:70_000], message(sent)[70_000:])]
        # A frame has 1 MiB at the most.
        parts = [message(sent)[at : at + (1 << 20)] for at in range(0, len(sent) + 5, 1 << 20)]
        frames = [frame(DATA, 0, 1, part) for part in parts]
        thread = sending(theirs, FIRST + b"".join(frames) + LAST)
        received = connection.next()
        assert received is not None
        assert connection.next() is None
        thread.join()
    got = decode(messages.LoadResponse, received).chunk
    assert got is not None
    assert got.ipc == b"i" * size
    assert pa.py_buffer(got.ipc).address % ALIGNMENT == 0


@hypothesis.given(st.binary(max_size=64), st.integers(0, 1 << 20))
def test_memory_is_found_for_a_message_whatever_it_is(head: bytes, size: int) -> None:
    assert len(place_message(memoryview(head[:size]), size)) == size
