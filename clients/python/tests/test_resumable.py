"""Queries whose result the server keeps until it has arrived, against a real server."""

from __future__ import annotations

import datetime
from typing import Any

import polars as pl
import pytest

import breaking_proxy
import clients
import polarway
import server

QUERY = "SELECT range AS n, 'x' || range AS text FROM range(300000)"
ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b"


def await_no_handles(client: Any) -> None:
    """Waits until the server has dropped all handles: that happens after the call."""
    while client.handles():
        pass


def test_a_resumable_result_is_what_the_query_gives_and_is_dropped(kind: str, tmp_path: Any) -> None:
    with server.running(tmp_path) as address, clients.client(kind, address) as client:
        assert client.query(QUERY, resumable=True).equals(client.query(QUERY))
        await_no_handles(client)
        doubled = "SELECT n * $1 AS twice FROM (SELECT 21 AS n)"
        assert client.query(doubled, [2], resumable=True, as_="arrow")["twice"].to_pylist() == [42]
        lazy = client.query_handle("SELECT 42 AS answer").lazy()
        assert lazy.collect(resumable=True)["answer"].to_list() == [42]
        del lazy
        await_no_handles(client)


@pytest.mark.parametrize("part", [0.3, 0.6, 0.97])
def test_a_resumable_result_that_breaks_continues_with_the_next_row(kind: str, address: str, part: float) -> None:
    with breaking_proxy.before(address) as counting, clients.client(kind, counting.address) as client:
        expected = client.query(QUERY, resumable=True)
    with (
        breaking_proxy.before(address, int(counting.count * part)) as breaking,
        clients.client(kind, breaking.address) as client,
    ):
        rows = pl.concat(client.query_stream(QUERY, resumable=True))
        assert rows.equals(expected)
        assert breaking.failures == 1


def test_the_summary_of_a_resumable_query_is_there_before_its_rows(kind: str, address: str) -> None:
    with clients.client(kind, address) as client, client.query_stream(QUERY, resumable=True) as stream:
        first = next(iter(stream))
        assert 0 < first.height < 300_000
        assert stream.summary.rows == 300_000
        assert datetime.timedelta(0) < stream.summary.times.total


def test_a_resumable_stream_that_is_left_early_lets_its_result_be_dropped(kind: str, tmp_path: Any) -> None:
    with server.running(tmp_path) as address, clients.client(kind, address) as client:
        with client.query_stream(QUERY, resumable=True) as stream:
            next(iter(stream))
            assert len(client.handles()) == 1
        await_no_handles(client)


def test_what_can_not_be_kept_is_refused(client: Any) -> None:
    with pytest.raises(polarway.PolarwayError) as caught:
        client.query("EXPLAIN SELECT 1", resumable=True)
    assert caught.value.reason
    with pytest.raises(polarway.QueryError):
        client.query("SELEC", resumable=True)
    with pytest.raises(polarway.TimedOut):
        client.query(ENDLESS, resumable=True, time_limit=0.2)


@pytest.mark.parametrize("limit", [0, -1, float("nan")])
def test_a_handle_has_a_time_limit_that_can_be_one(client: Any, limit: float) -> None:
    with pytest.raises(polarway.InvalidInput, match="no time limit"):
        client.query_handle("SELECT 1", time_limit=limit)


def test_a_number_of_thirty_nine_digits_comes_as_text_if_that_is_asked_for(client: Any) -> None:
    sql = f"SELECT {10**38}::HUGEINT AS big, sum(n) AS small FROM (SELECT 1::BIGINT AS n)"
    with pytest.raises(polarway.InvalidInput, match="at most 38 digits"):
        client.query(sql)
    assert client.query(sql, hugeint_as_text=True).rows() == [(str(10**38), "1")]
    assert client.query_stream(sql, hugeint_as_text=True).read_all().rows() == [(str(10**38), "1")]
    assert client.query("SELECT 1 AS one", hugeint_as_text=True).schema == {"one": pl.Int32}


def test_a_resumable_result_as_text_is_refused_before_anything_is_sent(client: Any) -> None:
    with pytest.raises(polarway.InvalidInput, match="leave out hugeint_as_text"):
        client.query("SELEC", resumable=True, hugeint_as_text=True)
