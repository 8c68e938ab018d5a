"""Uploads over connections of their own, which only save time: whatever happens, what is stored is the same."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import polars as pl
import pyarrow as pa
import pytest

import breaking_proxy
import clients
import http2_peer as peer
import polarway
from http2_peer import ACK, END_HEADERS, END_STREAM, HEADERS, PING, block, frame
from polarway import DistributedClient, _http2
from polarway._generated import messages, methods
from polarway._wire import encode
from test_direct import ANSWERS

FRAME = pl.DataFrame({"n": range(300_000)})


@pytest.fixture
def name() -> str:
    return f"direct_{uuid.uuid4().hex}"


def test_uploads_and_loads_share_a_connection_that_is_kept(address: str, name: str) -> None:
    with breaking_proxy.before(address) as proxy, DistributedClient(proxy.address) as client:
        for _ in range(5):
            client.store(name, FRAME)
            assert client.load(name, rows=range(3)).height == 3
        assert client.store_batch({name: FRAME, f"{name}_2": FRAME.clear()})[name].rows == FRAME.height
        # The other one is gRPC's.
        assert proxy.connections == 2


def test_a_wide_table_is_stored(address: str, name: str) -> None:
    """Its messages have more pieces than the system takes at once."""
    wide = pl.DataFrame({f"column {number}": range(2_000) for number in range(1_500)})
    with DistributedClient(address) as client:
        client.store(name, wide)
        assert client.load(name).equals(wide)


@pytest.mark.parametrize("answer", ANSWERS.values(), ids=ANSWERS)
def test_an_upload_that_gets_an_odd_answer_is_made_again_over_grpc(address: str, name: str, answer: bytes) -> None:
    with peer.odd(address, answer) as odd, DistributedClient(odd.address) as client:
        for version in (1, 2, 3):
            assert client.store(name, FRAME).version == version
        # For a while, it is not tried again.
        assert odd.connections == 2
        assert client.load(name).equals(FRAME)


def test_a_failure_is_the_same_as_over_grpc(address: str, name: str) -> None:
    def failures(client: Any) -> list[Any]:
        asked = (
            lambda: client.append(f"{name}_missing", FRAME),
            lambda: client.store("no good", FRAME),
            lambda: client.store(name, FRAME, expected_version=7),
        )
        return [failure(ask) for ask in asked]

    def failure(ask: Callable[[], object]) -> tuple[Any, ...]:
        with pytest.raises(polarway.PolarwayError) as caught:
            ask()
        assert caught.value.request_id is not None
        return type(caught.value), caught.value.message, caught.value.reason

    told = []
    for kind in clients.KINDS:
        with clients.client(kind, address) as client:
            told.append(failures(client))
    assert told[0] == told[1]


def test_an_upload_has_the_headers_that_it_has_over_grpc() -> None:
    """A server of gRPC's own library takes it, too."""
    seen: list[dict[str, Any]] = []
    info = messages.GetServerInfoResponse(protocol_revision=1 << 20, oldest_client_revision=0, server_version="9")

    def store(requests: Iterator[bytes], context: Any) -> bytes:
        sent = list(requests)
        metadata = dict(context.invocation_metadata())
        # Each call has its own; the other is the library's.
        assert len(metadata.pop("x-request-id")) == 36
        metadata.pop("user-agent", None)
        seen.append({**metadata, "time left": context.time_remaining(), "bytes": sum(map(len, sent[1:]))})
        context.abort(grpc.StatusCode.NOT_FOUND, "not here")
        return b""

    handlers = {
        "Store": grpc.stream_unary_rpc_method_handler(store),
        "GetServerInfo": grpc.unary_unary_rpc_method_handler(lambda _request, _context: encode(info)),
    }
    answers = grpc.server(ThreadPoolExecutor(1))
    service = methods.STORE.path.split("/")[1]
    answers.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    port = answers.add_insecure_port("127.0.0.1:0")
    answers.start()
    try:
        for kind in clients.KINDS:
            with (
                clients.client(kind, f"127.0.0.1:{port}", auth_token="secret") as client,
                pytest.raises(polarway.PolarwayError, match="not here"),
            ):
                client.store("big", FRAME)
    finally:
        answers.stop(None).wait()
    direct, by_grpc = seen
    assert direct == by_grpc
    assert direct["authorization"] == "Bearer secret"


def test_the_reason_that_came_before_the_connection_broke_is_told(address: str, name: str) -> None:
    """The server need not take the rest of an upload that it refuses."""
    told = block((":status", "200"), ("grpc-status", "3"), ("grpc-message", "not this one"))
    early = frame(peer.SETTINGS) + frame(HEADERS, END_HEADERS | END_STREAM, 1, told)
    with peer.odd(address, early) as odd, DistributedClient(odd.address) as client:
        with pytest.raises(polarway.PolarwayError, match="not this one"):
            client.store(name, FRAME)
        with pytest.raises(polarway.DatasetNotFound):
            client.describe(name)


@pytest.mark.parametrize("answer", [b"", frame(peer.SETTINGS)])
def test_an_upload_to_a_server_that_falls_silent_is_made_again(
    address: str, name: str, answer: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_http2, "_SILENCE_S", 0.2)
    with peer.odd(address, answer, stays_open=True) as odd, DistributedClient(odd.address) as client:
        assert client.store(name, FRAME).version == 1
        assert client.load(name).equals(FRAME)


def test_an_upload_that_takes_longer_than_its_timeout_is_an_error(address: str, name: str) -> None:
    # It answers what it is asked, and takes nothing.
    answers = frame(PING, ACK, 0, bytes(8)) * 100
    with (
        peer.odd(address, answers, stays_open=True) as odd,
        DistributedClient(odd.address, timeout=1) as client,
        pytest.raises(polarway.Unavailable, match="took no more of the upload for 1 s"),
    ):
        client.store(name, FRAME)


def test_a_client_that_is_closed_ends_an_upload_that_waits(address: str, name: str) -> None:
    with peer.odd(address, frame(peer.SETTINGS), stays_open=True) as odd:
        client = DistributedClient(odd.address)
        with ThreadPoolExecutor(1) as threads:
            upload = threads.submit(client.store, name, FRAME)
            assert odd.is_answered.wait(60)
            client.close()
            assert isinstance(upload.exception(60), polarway.PolarwayError)
        assert odd.is_left.wait(60)


def test_an_upload_whose_rows_can_not_be_had_ends_the_call(address: str, name: str) -> None:
    def rows() -> Iterator[Any]:
        yield pa.record_batch([pa.array(range(300_000))], ["n"])
        raise ArithmeticError("no more of them")

    with breaking_proxy.before(address) as proxy, DistributedClient(proxy.address) as client:
        reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows())
        with pytest.raises(ArithmeticError):
            client.store(name, reader)
        # So the server knows that there is no more to come.
        assert client.store(name, FRAME).version == 1
        assert proxy.connections == 3


def test_many_threads_store_at_once(address: str, name: str) -> None:
    ready = threading.Barrier(8)

    def work(number: int) -> None:
        ready.wait(60)
        for _ in range(3):
            client.store(f"{name}_{number}", FRAME)

    with breaking_proxy.before(address) as proxy, DistributedClient(proxy.address) as client:
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(work, range(8)))
        assert all(client.describe(f"{name}_{number}").rows == FRAME.height for number in range(8))
        assert 2 <= proxy.connections <= 9
