"""Loads over connections of their own, which only save time: whatever happens, gRPC's answer is the same."""

from __future__ import annotations

import socket
import struct
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import grpc
import polars as pl
import pytest

import breaking_proxy
import http2_peer as peer
import polarway
import server
from http2_peer import DATA, END_HEADERS, END_STREAM, GOAWAY, HEADERS, OK, RESET, answered, block, frame, message
from polarway import DistributedClient, _calls
from polarway._address import Address
from polarway._direct import Direct
from polarway._generated import messages, methods
from polarway._http2 import Connection
from polarway._memory import place_message
from polarway._watchdog import Watchdog
from polarway._wire import encode
from tables import ROWS

NUMBERS = pl.int_range(ROWS, eager=True).alias("n")


def test_loads_share_a_connection_that_is_kept(with_tables: str) -> None:
    with breaking_proxy.before(with_tables) as proxy, DistributedClient(proxy.address) as client:
        for _ in range(20):
            assert client.load("wide").width > 1
        # The other one is gRPC's.
        assert proxy.connections == 2
        with pytest.raises(polarway.DatasetNotFound):
            client.load("nowhere")
        client.load("wide")
        assert proxy.connections == 2


def test_a_stream_that_waits_for_its_reader_is_gRPCs(with_tables: str) -> None:  # noqa: N802
    """Nobody would answer the server's pings."""
    with breaking_proxy.before(with_tables) as proxy, DistributedClient(proxy.address) as client:
        assert sum(piece.height for piece in client.load_stream("big")) == ROWS
        assert client.query("SELECT 1 AS one").height == 1
        assert proxy.connections == 1


def test_many_threads_have_connections_of_their_own(with_tables: str) -> None:
    def work(number: int) -> None:
        rows = range(number * 100, number * 100 + 20_000)
        for _ in range(20):
            assert client.load("big", columns=["n"], rows=rows)["n"].equals(NUMBERS[rows.start : rows.stop])

    with breaking_proxy.before(with_tables) as proxy, DistributedClient(proxy.address) as client:
        with ThreadPoolExecutor(16) as threads:
            list(threads.map(work, range(16)))
        assert 2 <= proxy.connections <= 17


ANSWERS = {
    "nothing": b"",
    "no HTTP/2": b"HTTP/1.1 400 Bad Request\r\n\r\n",
    "a proxy's error": frame(HEADERS, END_HEADERS | END_STREAM, 1, block((":status", "503"))),
    "a page": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, END_STREAM, 1, b"<html></html>"),
    "a farewell": frame(GOAWAY, 0, 0, struct.pack(">II", 0, 0)),
    "a reset": frame(RESET, 0, 1, struct.pack(">I", 7)),
    "a status without a reason": answered(status=(("grpc-status", "14"), ("grpc-message", "no upstream"))),
    "half a message": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, message(bytes(100))[:50]),
    "too long a message": frame(HEADERS, END_HEADERS, 1, OK) + frame(DATA, 0, 1, b"\0\xff\xff\xff\xff"),
}


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_what_has_not_begun_is_asked_over_grpc(with_tables: str, answer: bytes) -> None:
    with peer.odd(with_tables, answer) as odd, DistributedClient(odd.address) as client:
        for _ in range(3):
            assert client.load("big")["n"].equals(NUMBERS)
        # For a while, it is not tried again.
        assert odd.connections == 2


@pytest.fixture
def beginning(with_tables: str) -> bytes:
    """What an answer begins with: the schema and some of the rows of a table."""
    with grpc.insecure_channel(with_tables) as channel:
        call = channel.unary_stream(methods.LOAD.path)(encode(messages.LoadRequest(name="big")))
        sent = answered(*(next(call) for _ in range(3)))
        call.cancel()
    # Without the end.
    return sent[: sent.rindex(frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "0"))))]


BREAKS = {
    "an end": b"",
    "bytes that are no frame": b"\xff" * 1000,
    "a reset": frame(RESET, 0, 1, struct.pack(">I", 2)),
    "a farewell for an error": frame(GOAWAY, 0, 0, struct.pack(">II", 1, 2)),
    "a status without a reason": frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "14"))),
    "a message that is compressed": frame(DATA, 0, 1, message(b"x", compressed=True)),
    "an end of another server": frame(HEADERS, END_HEADERS | END_STREAM, 1, block(("grpc-status", "0"))),
}


@pytest.mark.parametrize("end", BREAKS.values(), ids=BREAKS)
def test_what_breaks_later_continues_at_the_next_row(with_tables: str, beginning: bytes, end: bytes) -> None:
    with peer.odd(with_tables, beginning + end) as odd, DistributedClient(odd.address) as client:
        assert client.load("big")["n"].equals(NUMBERS)
        assert odd.connections == 3


def test_rows_that_are_not_the_next_ones_are_refused_and_the_call_is_ended(with_tables: str, beginning: bytes) -> None:
    wrong = encode(messages.LoadResponse(chunk=messages.Chunk(ipc=b"", first_row=5, rows=1)))
    with peer.odd(with_tables, beginning + frame(DATA, 0, 1, message(wrong)), stays_open=True) as odd:
        with DistributedClient(odd.address) as client, pytest.raises(polarway.ProtocolError, match="sent row 5 where"):
            client.load("big")
        # So the server stops its work.
        assert odd.is_left.wait(60)
        assert odd.connections == 2


def test_a_message_that_is_none_is_refused(with_tables: str) -> None:
    sent = answered(b"\xff\xff\xff")
    with peer.odd(with_tables, sent) as odd, DistributedClient(odd.address) as client:
        with pytest.raises(polarway.MalformedMessage):
            client.load("big")
        assert client.load("big").height == ROWS


def test_a_failure_is_the_same_as_over_grpc(with_tables: str) -> None:
    with DistributedClient(with_tables) as client:
        for named in ({"name": "nowhere"}, {"name": "big", "columns": ["no"]}, {"name": "big", "version": 7}):
            told = []
            for ask in (client.load, lambda **named: client.load_stream(**named).read_all()):
                with pytest.raises(polarway.PolarwayError) as caught:
                    ask(**named)
                told.append((type(caught.value), str(caught.value).split(" (request", 1)[0], caught.value.reason))
                assert caught.value.request_id is not None
            assert told[0] == told[1]


def test_a_load_has_the_headers_that_it_has_over_grpc() -> None:
    """A server of gRPC's own library takes it, too."""
    seen: list[dict[str, Any]] = []
    info = messages.GetServerInfoResponse(protocol_revision=1 << 20, oldest_client_revision=0, server_version="9")

    def load(_request: bytes, context: Any) -> Iterator[bytes]:
        metadata = dict(context.invocation_metadata())
        # Each call has its own; the other is the library's.
        assert len(metadata.pop("x-request-id")) == 36
        metadata.pop("user-agent", None)
        seen.append({**metadata, "time left": context.time_remaining()})
        yield b""
        context.abort(grpc.StatusCode.NOT_FOUND, "not here")

    handlers = {
        "Load": grpc.unary_stream_rpc_method_handler(load),
        "GetServerInfo": grpc.unary_unary_rpc_method_handler(lambda _request, _context: encode(info)),
    }
    answers = grpc.server(ThreadPoolExecutor(1))
    answers.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(methods.LOAD.path.split("/")[1], handlers)])
    port = answers.add_insecure_port("127.0.0.1:0")
    answers.start()
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    try:
        with (
            DistributedClient(f"127.0.0.1:{port}", auth_token="secret") as client,
            polarway.trace_context(parent, "vendor=1"),
        ):
            for ask in (client.load, lambda name: client.load_stream(name).read_all()):
                with pytest.raises(polarway.PolarwayError, match="not here"):
                    ask("big")
    finally:
        answers.stop(None).wait()
    direct, by_grpc = seen
    assert direct == by_grpc
    assert direct["authorization"] == "Bearer secret"
    assert (direct["traceparent"], direct["tracestate"]) == (parent, "vendor=1")


def test_a_request_of_any_length_is_answered(address: str) -> None:
    names = [f"a long name of a column, number {number}" for number in range(1_000)]
    with DistributedClient(address) as client:
        client.store("many_columns", pl.DataFrame({name: [1] for name in names}))
        assert client.load("many_columns", columns=names[::-1]).columns == names[::-1]


def test_a_host_with_several_addresses_is_reached_at_the_one_that_answers(with_tables: str) -> None:
    port = int(with_tables.rpartition(":")[2])
    found = {place[0] for place in socket.getaddrinfo("localhost", port, type=socket.SOCK_STREAM)}
    direct = Direct(Address("localhost", port, is_secure=False), Watchdog())
    for _ in range(2):
        direct.take().close()
    assert socket.AF_INET in found
    with DistributedClient("localhost", port) as client:
        assert client.load("wide").width > 1


def test_a_worker_that_can_not_be_reached_is_not_waited_for() -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        direct = Direct(Address("127.0.0.1", bound.getsockname()[1], is_secure=False), Watchdog())
        with pytest.raises(ConnectionRefusedError):
            direct.take()


def test_a_server_that_is_there_again_is_asked_again(with_tables: str) -> None:
    with breaking_proxy.before(with_tables) as first, DistributedClient(first.address, timeout=60) as client:
        client.load("wide")
        first.close()
        with breaking_proxy.before(with_tables, port=int(first.address.rpartition(":")[2])) as second:
            for _ in range(3):
                assert client.load("wide").width > 1
            # gRPC may not have noticed yet that the first one is gone.
            assert second.connections in (1, 2)


def test_a_client_that_is_closed_ends_a_load_that_waits(with_tables: str, beginning: bytes) -> None:
    with peer.odd(with_tables, beginning, stays_open=True) as odd:
        client = DistributedClient(odd.address)
        with ThreadPoolExecutor(1) as threads:
            load = threads.submit(client.load, "big")
            assert odd.is_answered.wait(60)
            client.close()
            assert isinstance(load.exception(60), polarway.PolarwayError)
        assert odd.is_left.wait(60)


@pytest.fixture
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_calls, "SILENCE_S", 1.0)
    monkeypatch.setattr(_calls, "OPENING_S", 1.0)


@pytest.mark.usefixtures("_impatience")
@pytest.mark.parametrize("has_begun", [False, True])
def test_silence_is_noticed_and_the_load_goes_on(with_tables: str, beginning: bytes, has_begun: bool) -> None:
    answer = beginning if has_begun else b""
    with peer.odd(with_tables, answer, stays_open=True) as odd, DistributedClient(odd.address) as client:
        assert client.load("big")["n"].equals(NUMBERS)
        assert odd.is_left.wait(60)


def is_ended(end: socket.socket) -> bool:
    """Whether the other end of a connection was closed, perhaps with something that it had not read."""
    try:
        return end.recv(1) == b""
    except BlockingIOError:
        return False
    except ConnectionResetError:
        return True


def test_a_kept_connection_is_closed_when_something_comes_or_it_is_old() -> None:
    direct = Direct(Address("peer", 1, is_secure=False), Watchdog())
    ends = []
    for _ in range(3):
        ours, theirs = socket.socketpair()
        connection = Connection(ours, "peer:1", place_message)
        del ours
        connection.begin("/service/Method", (), b"")
        theirs.recv(1 << 16)
        theirs.sendall(answered())
        assert peer.all_of(connection) == []
        assert theirs.recv(1 << 16)
        direct.give_back(connection)
        del connection
        theirs.setblocking(False)
        ends.append(theirs)
    asked, closed, left = ends
    # A server that ends asks whether somebody is there.
    asked.sendall(frame(peer.PING, 0, 0, bytes(8)))
    closed.shutdown(socket.SHUT_WR)
    direct.look(0.0)
    assert list(map(is_ended, ends)) == [True, True, False]
    direct.look(float("inf"))
    assert is_ended(left)
    for end in ends:
        end.close()


def test_a_server_that_ends_does_not_wait_for_connections_that_are_kept(tmp_path: Path) -> None:
    program = [server.program(), "--bind", "127.0.0.1:0", "--data-dir", str(tmp_path)]
    with subprocess.Popen(program, stderr=subprocess.PIPE, text=True) as running:
        assert running.stderr is not None
        line = next(line for line in running.stderr if "listening on " in line)
        with DistributedClient(line.split("listening on ", 1)[1].split()[0]) as client:
            client.store("numbers", pl.DataFrame({"n": [1, 2, 3]}))
            client.load("numbers")
            running.terminate()
            running.stderr.read()
            # It would wait for as long as it lets calls take to end.
            assert running.wait(20) == 0
