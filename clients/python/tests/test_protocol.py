"""The messages and the failures, against a real server."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import grpc
import pytest

import polarway
import server
from polarway._failure import Failure
from polarway._generated import messages, methods
from polarway._wire import Message, Method, decode, encode

_TIMEOUT_S = 60


@pytest.fixture(scope="module")
def channel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A channel to a server with no data."""
    with server.running(tmp_path_factory.mktemp("data")) as address, grpc.insecure_channel(address) as channel:
        yield channel


def call(channel: Any, method: Method[Any, Any], request: Message) -> list[bytes]:
    """Calls a method, and gives all messages of the answer as they came."""
    if method.server_streaming:
        return list(channel.unary_stream(method.path)(encode(request), timeout=_TIMEOUT_S))
    return [channel.unary_unary(method.path)(encode(request), timeout=_TIMEOUT_S)]


def failure_of(error: Any) -> Failure:
    details = dict(error.trailing_metadata() or ())
    return Failure.of_status(error.code().value[0], error.details(), details.get("grpc-status-details-bin"))


def test_a_server_says_who_it_is(channel: Any) -> None:
    (answer,) = call(channel, methods.GET_SERVER_INFO, messages.GetServerInfoRequest())
    info = decode(messages.GetServerInfoResponse, answer)
    assert info.server_version
    assert info.worker_id
    assert info.started_us > 0
    assert info.protocol_revision >= info.oldest_client_revision > 0


def test_the_rows_of_a_query_are_joined_to_a_stream_that_arrow_reads(channel: Any) -> None:
    pyarrow: Any = pytest.importorskip("pyarrow")
    request = messages.QueryRequest(sql="SELECT range AS n FROM range(100000)")
    steps = [decode(messages.QueryResponse, answer) for answer in call(channel, methods.QUERY, request)]
    chunks = [step.chunk for step in steps if step.chunk is not None]
    # Each chunk says where its rows stand.
    next_row = 0
    for chunk in chunks:
        assert chunk.first_row == next_row
        next_row += chunk.rows
    summary = steps[-1].summary
    assert summary is not None
    assert (summary.rows, next_row) == (100_000, 100_000)
    table = pyarrow.ipc.open_stream(b"".join(chunk.ipc for chunk in chunks)).read_all()
    assert table["n"].to_pylist() == list(range(100_000))


@pytest.mark.parametrize(
    ("method", "request_", "kind", "says"),
    [
        (methods.LOAD, messages.LoadRequest(name="flighst"), polarway.DatasetNotFound, "flighst"),
        (methods.LOAD, messages.LoadRequest(name="no good"), polarway.InvalidInput, "no good"),
        (methods.QUERY, messages.QueryRequest(sql="SELEC 42"), polarway.QueryError, "SELEC"),
        (methods.QUERY, messages.QueryRequest(sql="SELECT 'x'::INT"), polarway.QueryError, "x"),
        (methods.CANCEL_QUERY, messages.CancelQueryRequest(query_id="none"), polarway.PolarwayError, "none"),
        (methods.GET_HANDLE, messages.GetHandleRequest(handle_id="h_" + "a" * 26), polarway.HandleNotFound, "h_a"),
    ],
)
def test_what_is_refused_is_an_exception_with_the_servers_words(
    channel: Any, method: Method[Any, Any], request_: Message, kind: type[polarway.PolarwayError], says: str
) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        call(channel, method, request_)
    failure = failure_of(caught.value)
    assert not failure.is_transient
    exception = failure.exception(None)
    assert isinstance(exception, kind)
    assert exception.reason is not None
    assert says in str(exception)


def test_bytes_that_are_no_message_are_refused_by_the_server_too(channel: Any) -> None:
    with pytest.raises(grpc.RpcError) as caught:
        channel.unary_unary(methods.GET_DATASET.path)(b"\x0a\xff", timeout=_TIMEOUT_S)
    failure = failure_of(caught.value)
    assert failure.reason == "MALFORMED_MESSAGE"
    assert isinstance(failure.exception(None), polarway.ProtocolError)
