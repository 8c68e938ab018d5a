"""Loads, as a whole and in pieces, against a real server."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import clients
import polarway
from tables import BIG, ROWS, WIDE


@pytest.fixture
def client(kind: str, with_tables: str) -> Iterator[Any]:
    """A client of each kind, of a server that has these tables."""
    with clients.client(kind, with_tables) as client:
        yield client


def test_a_table_is_loaded_as_polars_pandas_or_arrow(client: Any) -> None:
    as_polars = client.load("big")
    assert isinstance(as_polars, pl.DataFrame)
    assert as_polars.equals(pl.DataFrame(pl.from_arrow(BIG)))
    as_pandas = client.load("big", as_="pandas")
    assert isinstance(as_pandas, pd.DataFrame)
    assert as_pandas["n"].sum() == ROWS * (ROWS - 1) // 2
    as_arrow = client.load("big", as_="arrow")
    assert isinstance(as_arrow, pa.Table)
    assert as_arrow.combine_chunks().equals(BIG.cast(as_arrow.schema))


@pytest.mark.parametrize("as_", ["polars", "pandas", "arrow"])
def test_a_table_without_rows_has_its_columns(client: Any, as_: str) -> None:
    table = client.load("empty", as_=as_)
    assert len(table) == 0
    assert list(table.columns if as_ != "arrow" else table.column_names) == ["n", "words"]


def test_a_wide_table_is_loaded(client: Any) -> None:
    assert client.load("wide").equals(pl.DataFrame(pl.from_arrow(WIDE)))


def test_some_columns_and_rows_are_loaded(client: Any) -> None:
    some = client.load("big", columns=["half", "n"], rows=range(10, 13))
    assert some.to_dict(as_series=False) == {"half": [5.0, 5.5, 6.0], "n": [10, 11, 12]}
    assert client.load("big", columns="n", rows=slice(ROWS - 2, None))["n"].to_list() == [ROWS - 2, ROWS - 1]
    assert client.load("big", rows=range(ROWS - 1, 2 * ROWS)).height == 1
    assert client.load("big", rows=slice(None, 3)).height == 3
    assert client.load("big", rows=range(5, 5)).shape == (0, 3)
    assert client.load("big", columns=iter(["n"]), rows=range(ROWS, ROWS)).schema == {"n": pl.Int64}


def test_a_version_is_loaded_by_its_number_or_time(client: Any) -> None:
    assert client.load("wide", version=0).height == 2
    assert client.load("wide", as_of=datetime.now(UTC)).height == 2


@pytest.mark.parametrize(
    ("arguments", "error", "says"),
    [
        ({"name": "bgi"}, polarway.DatasetNotFound, "big"),
        ({"name": "no good"}, polarway.InvalidInput, "no good"),
        ({"name": "big", "version": 4}, polarway.VersionNotFound, "4"),
        ({"name": "big", "columns": ["N"]}, polarway.ColumnNotFound, "N"),
        ({"name": "big", "columns": ["n", "n"]}, polarway.InvalidInput, "n"),
        ({"name": "big", "columns": []}, polarway.InvalidInput, "one column at least"),
        ({"name": "big", "rows": range(5, 3)}, polarway.InvalidInput, "3"),
        ({"name": "big", "rows": range(0, 10, 2)}, polarway.InvalidInput, "range(0, 10, 2)"),
        ({"name": "big", "rows": slice(-5, None)}, polarway.InvalidInput, "no rows to load"),
        ({"name": "big", "as_": "numpy"}, polarway.InvalidInput, "numpy"),
    ],
)
def test_a_load_that_can_not_be_is_refused_in_one_line(
    client: Any, arguments: dict[str, Any], error: type[polarway.PolarwayError], says: str
) -> None:
    with pytest.raises(error) as caught:
        client.load(**arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
    with pytest.raises(error):
        list(client.load_stream(**arguments))


def test_the_pieces_of_a_stream_are_the_table(client: Any) -> None:
    pieces = list(client.load_stream("big"))
    assert len(pieces) > 3
    assert all(isinstance(piece, pl.DataFrame) and piece.height > 0 for piece in pieces)
    assert pl.concat(pieces).equals(client.load("big"))


def test_a_stream_tells_what_it_reads(client: Any) -> None:
    with client.load_stream("big", rows=range(5)) as stream:
        assert (stream.version, stream.rows, stream.selected_rows) == (0, ROWS, 5)
        assert stream.time < datetime.now(UTC)
        assert stream.read_all()["n"].to_list() == [0, 1, 2, 3, 4]


def test_a_stream_without_rows_has_one_piece_with_the_columns(client: Any) -> None:
    (piece,) = client.load_stream("empty")
    assert piece.schema == {"n": pl.Int64, "words": pl.List(pl.String)}
    assert client.load_stream("empty").read_all().schema == piece.schema


def test_the_rest_of_a_stream_is_a_table(client: Any) -> None:
    stream = client.load_stream("big", as_="arrow")
    first = next(iter(stream))
    rest = stream.read_all()
    assert first.num_rows + rest.num_rows == ROWS
    assert rest["n"][0].as_py() == first.num_rows
    assert stream.read_all().num_rows == 0


def test_a_stream_that_is_left_early_is_over(client: Any) -> None:
    with client.load_stream("big") as stream:
        assert next(iter(stream)).height > 0
    # And one that nobody holds any more does not disturb others.
    assert len(list(itertools.islice(client.load_stream("big"), 2))) == 2
    gc.collect()
    assert client.load("wide").height == 2


def test_a_load_for_asyncio_tells_nothing_before_it_begins(with_tables: str) -> None:
    stream = polarway.AsyncDistributedClient(with_tables).load_stream("big")
    with pytest.raises(polarway.InvalidInput, match="has not begun"):
        _ = stream.version
