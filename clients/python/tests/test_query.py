"""Queries, as a whole and in pieces, against a real server."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import polars as pl
import pyarrow as pa
import pytest

import polarway

NUMBERS = "SELECT range AS n, 'x' || range AS text FROM range(500000)"


def test_a_result_is_polars_pandas_or_arrow(client: Any) -> None:
    assert client.query("SELECT 42 AS answer").to_dict(as_series=False) == {"answer": [42]}
    assert client.query("SELECT 42 AS answer", as_="pandas")["answer"].tolist() == [42]
    assert client.query("SELECT 42 AS answer", as_="arrow").to_pydict() == {"answer": [42]}


def test_a_large_result_is_whole(client: Any) -> None:
    result = client.query(NUMBERS)
    assert result["n"].equals(pl.int_range(500_000, eager=True).alias("n"))
    assert result["text"][499_999] == "x499999"


def test_a_result_without_rows_has_its_columns(client: Any) -> None:
    assert client.query("SELECT 1::BIGINT AS n WHERE false").schema == {"n": pl.Int64}


@pytest.mark.parametrize(
    "value",
    [
        True,
        -5,
        2**63 - 1,
        2.5,
        "text with ' and ; and \N{SNOWMAN}",
        b"bytes \x00",
        None,
        datetime.date(2024, 2, 29),
        datetime.datetime(2024, 2, 29, 12, 0, 0, 1),
        datetime.datetime(2024, 2, 29, 12, tzinfo=datetime.UTC),
        datetime.time(23, 59, 59, 999999),
        decimal.Decimal("12.345"),
        [1, 2, 3],
    ],
    ids=repr,
)
def test_a_parameter_is_a_value_by_position_or_name(client: Any, value: object) -> None:
    # Whatever the type of the result: DuckDB compares it with the same parameter.
    assert client.query("SELECT ? IS NOT DISTINCT FROM $1 AS same", [value])["same"].to_list() == [True]
    by_name = client.query("SELECT $it AS it, $other AS other", {"it": value, "other": 1}, as_="arrow")
    assert by_name["it"][0].as_py() == value
    assert by_name["other"][0].as_py() == 1


def test_a_parameter_of_a_type_that_python_lacks_is_an_array(client: Any) -> None:
    assert client.query("SELECT typeof($1) AS type", [pa.array([5], pa.int8())])["type"].to_list() == ["TINYINT"]


@pytest.mark.parametrize(
    ("parameters", "says"),
    [
        ([2**70], "'1'"),
        ([1, object()], "'2'"),
        ({"it": object()}, "'it'"),
        ({5: 1}, "5 is no name"),
        ({"lone \ud800": 1}, "Unicode"),
        (["lone \ud800"], "'1'"),
        ([pa.array([1, 2])], "array of 2 values"),
        ("text", "no parameters"),
        (5, "no parameters"),
    ],
)
def test_a_parameter_that_can_not_be_sent_is_named(client: Any, parameters: Any, says: str) -> None:
    with pytest.raises(polarway.InvalidInput) as caught:
        client.query("SELECT 1", parameters)
    assert says in str(caught.value)


@pytest.mark.parametrize(
    ("sql", "error", "says"),
    [
        ("SELEC 42", polarway.QueryError, "SELEC"),
        ("SELECT * FROM no_such_table_here", polarway.DatasetNotFound, "no_such_table_here"),
        ("SELECT 'x'::INT", polarway.QueryError, "x"),
        ("DROP TABLE flights", polarway.PermissionDenied, "SELECT"),
        ("SELECT ?", polarway.QueryError, "1"),
        ("lone \ud800", polarway.InvalidInput, "sql"),
        (b"SELECT 1", polarway.InvalidInput, "no SQL"),
    ],
)
def test_a_query_that_can_not_be_is_refused(
    client: Any, sql: Any, error: type[polarway.PolarwayError], says: str
) -> None:
    for ask in (client.query, lambda sql: list(client.query_stream(sql))):
        with pytest.raises(error) as caught:
            ask(sql)
        assert says in str(caught.value)


def test_the_pieces_of_a_result_are_the_result_and_its_summary_comes_with_the_last(client: Any) -> None:
    stream = client.query_stream(NUMBERS)
    pieces: list[pl.DataFrame] = []
    for piece in stream:
        assert stream.summary is None or len(pieces) > 0
        pieces.append(piece)
    assert len(pieces) > 1
    assert pl.concat(pieces).equals(client.query(NUMBERS))
    summary = stream.summary
    assert summary.rows == 500_000
    assert summary.bytes > 500_000 * 8
    assert summary.datasets == ()
    assert datetime.timedelta(0) < summary.times.running <= summary.times.total


def test_a_stream_that_is_closed_early_does_not_look_like_one_that_has_ended(client: Any) -> None:
    stream = client.query_stream(NUMBERS)
    with stream:
        assert next(iter(stream)).height > 0
    for take in (lambda: next(iter(stream)), stream.read_all):
        with pytest.raises(polarway.InvalidInput, match="this stream is closed"):
            take()
    with client.query_stream("SELECT 1 AS one") as whole:
        assert whole.read_all().height == 1
    assert list(whole) == []


def test_the_query_of_a_stream_that_is_left_in_its_middle_ends(client: Any) -> None:
    for _ in client.query_stream("SELECT a.range FROM range(100000000) a, range(100000000) b"):
        break
    while client.queries():
        pass


def test_a_query_may_have_a_time_limit(client: Any) -> None:
    endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
    for ask in (client.query, lambda *given, **named: list(client.query_stream(*given, **named))):
        with pytest.raises(polarway.TimedOut) as caught:
            ask(endless, time_limit=0.2)
        assert caught.value.reason == "DEADLINE_EXCEEDED"
    assert client.query("SELECT 1 AS one", time_limit=60).height == 1


@pytest.mark.parametrize("limit", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_that_is_none_is_refused(client: Any, limit: float) -> None:
    with pytest.raises(polarway.InvalidInput, match="no time limit"):
        client.query("SELECT 1", time_limit=limit)


def test_columns_of_one_name_get_numbers(client: Any) -> None:
    assert len(set(client.query("SELECT 1 AS a, 2 AS a").columns)) == 2


def test_an_error_with_the_longest_message_arrives_each_time(client: Any) -> None:
    # gRPC drops the details of large statuses at random, and with them the reason.
    for _ in range(20):
        with pytest.raises(polarway.PolarwayError) as caught:
            client.query("SELECT " + "long_name_" * 50_000)
        assert caught.value.reason == "INVALID_QUERY"
        assert 0 < len(str(caught.value)) < 8_192


def test_the_summary_tells_which_workers_ran_the_query(client: Any) -> None:
    for engine in ("auto", "local"):
        stream = client.query_stream("SELECT 42 AS answer", engine=engine)
        assert stream.read_all().rows() == [(42,)]
        assert (stream.summary.engine, stream.summary.workers) == ("local", 1)
    assert client.query_handle("SELECT 42 AS answer", engine="local").load().rows() == [(42,)]


def test_an_engine_that_there_is_not_is_refused_before_anything_is_sent(client: Any) -> None:
    for run in (client.query, client.query_handle):
        with pytest.raises(polarway.InvalidInput, match="'remote' is no engine"):
            run("SELECT 42", engine="remote")
