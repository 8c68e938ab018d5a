"""Connections that break or fall silent, at chosen bytes."""

from __future__ import annotations

import datetime
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow.parquet as pq
import pytest

import breaking_proxy
import clients
import polarway
import server
from polarway import _calls
from polarway._async import AsyncTransport
from polarway._blocking import BlockingTransport
from polarway._generated import messages, methods
from polarway._wire import decode
from tables import BIG, ROWS

PARTS = (0.0, 0.01, 0.3, 0.6, 0.97)
QUERY = "SELECT range AS n, 'x' || range AS text FROM range(300000)"


def bytes_of(kind: str, address: str, call: Any) -> int:
    """The bytes that go through a connection while a client makes a call."""
    with breaking_proxy.before(address) as counting:
        with clients.client(kind, counting.address) as client:
            call(client)
        return counting.count


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[messages.LoadRequest]:
    """Which loads clients have asked for, as they were sent."""
    requests: list[messages.LoadRequest] = []
    for transport in (BlockingTransport, AsyncTransport):

        def noted(self: Any, worker: Any, path: str, message: bytes, *rest: Any, send: Any = transport.open) -> Any:
            if path == methods.LOAD.path:
                requests.append(decode(messages.LoadRequest, message))
            return send(self, worker, path, message, *rest)

        monkeypatch.setattr(transport, "open", noted)
    return requests


def test_a_load_that_breaks_continues_with_the_next_row(
    kind: str, with_tables: str, asked: list[messages.LoadRequest]
) -> None:
    def load(client: Any) -> Any:
        return client.load("big")

    total = bytes_of(kind, with_tables, load)
    with clients.client(kind, with_tables) as client:
        expected = load(client)
    asked.clear()
    for part in PARTS:
        # The first answer is that to the question for the protocol's revision: before it nothing is tried again.
        with breaking_proxy.before(with_tables, max(2_000, int(total * part))) as breaking:
            with clients.client(kind, breaking.address) as client:
                assert load(client).equals(expected)
            assert breaking.failures == 1
            # gRPC's connection stays if a load of threads breaks, which has its own.
            assert breaking.connections == (1 + len(asked) if kind == "threads" else 2)
            if kind == "threads" and len(asked) == 1:
                # What has not begun to arrive is asked over gRPC, in the same try.
                assert (asked.pop().first_row, part < 0.1) == (0, True)
                continue
            broken, continued = asked
            asked.clear()
            assert (broken.at, broken.first_row) == (None, 0)
            # It is the version that was begun, once the client knows that.
            assert continued.at == messages.At(version=0) or continued.first_row == 0
            # When a connection breaks, gRPC drops what it has received and nobody has taken yet. That may be all of
            # its window, but not nearly the whole table.
            assert continued.first_row > 0 or part < 0.9


@pytest.mark.parametrize(
    "other", [BIG.slice(0, 10), BIG.rename_columns(["m", "word", "half"])], ids=["fewer rows", "other columns"]
)
def test_a_load_whose_files_change_before_it_continues_is_told(kind: str, tmp_path: Path, other: Any) -> None:
    file = tmp_path / "cold" / "big.parquet"
    file.parent.mkdir()
    pq.write_table(BIG, file)
    pq.write_table(other, tmp_path / "other.parquet")
    with server.running(tmp_path) as address:
        total = bytes_of(kind, address, lambda client: client.load("big", columns=["n"]))
        with (
            breaking_proxy.before(address, total // 2) as breaking,
            clients.client(kind, breaking.address) as client,
            client.load_stream("big", columns=["n"]) as stream,
        ):
            (tmp_path / "other.parquet").replace(file)
            with pytest.raises(polarway.Unavailable, match="the files of 'big' changed while they were read") as caught:
                list(stream)
            assert (caught.value.reason, breaking.failures) == ("CHANGED", 1)


def test_a_stream_that_breaks_has_each_row_once(kind: str, with_tables: str) -> None:
    with breaking_proxy.before(with_tables, 5_000_000) as breaking, clients.client(kind, breaking.address) as client:
        numbers = pl.concat(piece["n"] for piece in client.load_stream("big", columns=["n"], rows=range(10, ROWS)))
        assert breaking.failures == 1
    assert numbers.equals(pl.int_range(10, ROWS, eager=True).alias("n"))


def test_a_load_breaks_at_any_byte_of_its_end(kind: str, with_tables: str) -> None:
    def load(client: Any) -> Any:
        return client.load("wide")

    total = bytes_of(kind, with_tables, load)
    with clients.client(kind, with_tables) as client:
        expected = load(client)
    for missing in (1, 2, 10, 30, 100, 1_000):
        with (
            breaking_proxy.before(with_tables, total - missing) as breaking,
            clients.client(kind, breaking.address) as client,
        ):
            assert load(client).equals(expected)


def test_a_query_that_breaks_is_run_again(kind: str, address: str) -> None:
    def query(client: Any) -> Any:
        return client.query(QUERY)

    total = bytes_of(kind, address, query)
    with clients.client(kind, address) as client:
        expected = query(client)
    for part in (0.3, 0.9):
        with (
            breaking_proxy.before(address, int(total * part)) as breaking,
            clients.client(kind, breaking.address) as client,
        ):
            assert query(client).equals(expected)
            assert breaking.failures == 1


def test_the_rows_of_a_query_that_were_taken_are_not_asked_for_twice(kind: str, address: str) -> None:
    with breaking_proxy.before(address) as breaking, clients.client(kind, breaking.address) as client:
        # Far more than what is on its way before it is read.
        stream = iter(client.query_stream("SELECT range AS n FROM range(50_000_000)"))
        assert next(stream).height > 0
        breaking.fail()
        with pytest.raises(polarway.Unavailable, match="hung up") as caught:
            list(stream)
        assert caught.value.request_id
        # The client goes on.
        assert client.query("SELECT 1 AS one").height == 1


def test_an_answer_that_is_lost_is_asked_for_again(kind: str, address: str) -> None:
    total = bytes_of(kind, address, lambda client: client.server_info())
    with breaking_proxy.before(address, total - 60) as breaking, clients.client(kind, breaking.address) as client:
        assert client.server_info().worker_id
        assert breaking.failures == 1


def test_a_server_that_comes_back_is_found_again(kind: str, address: str) -> None:
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        port = bound.getsockname()[1]
    with breaking_proxy.before(address, port=port) as there, clients.client(kind, there.address, timeout=60) as client:
        assert client.datasets() is not None
        there.close()
        back = threading.Timer(1.0, lambda: again.append(breaking_proxy.Proxy(address, port=port)))
        again: list[breaking_proxy.Proxy] = []
        back.start()
        try:
            # Nobody listens there when it is called.
            assert client.datasets() is not None
        finally:
            back.join()
            again[0].close()


def test_a_break_that_lasts_is_an_error_within_the_timeout(kind: str, address: str) -> None:
    with breaking_proxy.before(address) as there, clients.client(kind, there.address, timeout=1) as client:
        client.datasets()
        there.close()
        with pytest.raises(
            polarway.Unavailable, match=r"no answer within 1 s, in \d+ tries; the last said: 127.0.0.1:"
        ):
            client.datasets()
        with pytest.raises(polarway.Unavailable, match="no answer within 1 s"):
            client.load("big")


@pytest.fixture
def _impatience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients wait as long as the server's heartbeats need, and no longer."""
    monkeypatch.setattr(_calls, "SILENCE_S", 2.0)
    monkeypatch.setattr(_calls, "OPENING_S", 2.0)


@pytest.mark.usefixtures("_impatience")
def test_a_stream_that_falls_silent_continues_at_another_worker(kind: str, with_tables: str) -> None:
    with breaking_proxy.before(with_tables, 4_000_000, "silent") as silent:
        # Which worker is asked first is drawn.
        while silent.failures == 0:
            with clients.client(kind, [silent.address, with_tables]) as client:
                assert client.load("big")["n"].equals(pl.int_range(ROWS, eager=True).alias("n"))


def test_a_connection_that_falls_silent_is_left_for_a_new_one(kind: str, with_tables: str) -> None:
    with breaking_proxy.before(with_tables, 4_000_000, "silent") as silent:
        with clients.client(kind, silent.address) as client:
            assert client.load("big")["n"].equals(pl.int_range(ROWS, eager=True).alias("n"))
        assert (silent.failures, silent.connections) == (1, 2)


@pytest.mark.usefixtures("_impatience")
def test_the_silence_of_a_query_is_an_error_that_says_so(kind: str, address: str) -> None:
    with breaking_proxy.before(address, 2_500_000, "silent") as silent, clients.client(kind, silent.address) as client:
        stream = iter(client.query_stream(QUERY))
        next(stream)
        with pytest.raises(polarway.Unavailable, match="has been silent for 2 s"):
            list(stream)


def test_a_query_that_takes_longer_than_the_timeout_is_alive_as_long_as_its_server_says_so(
    kind: str, address: str
) -> None:
    # The server says so each second. On a busy machine that is a little later.
    timeout = datetime.timedelta(seconds=3)

    def query() -> None:
        with clients.client(kind, address, timeout=timeout) as client:
            client.query("SELECT count(*) FROM range(100000000) a, range(100000000) b")

    with polarway.DistributedClient(address) as observer, ThreadPoolExecutor(1) as threads:
        # Those of other tests are listed for a moment after their end.
        while observer.queries():
            pass
        ended = threads.submit(query)
        while not (old := [query for query in observer.queries() if query.elapsed > timeout * 1.3]):
            assert not ended.done(), ended.result()
        observer.cancel(old[0].query_id)
        with pytest.raises(polarway.QueryCancelled):
            ended.result()
