"""What users give by mistake: each is refused in one line that names it as the user does, and nothing is sent."""

from __future__ import annotations

import datetime
import uuid
from collections.abc import Callable
from typing import Any

import numpy as np
import polars as pl
import pytest

import polarway
from polarway import DistributedClient, InvalidInput

FRAME = pl.DataFrame({"n": [1, 2, 3]})

MISTAKES: dict[str, Callable[[Any], Any]] = {
    "a DataFrame is no name of a dataset: give a text": lambda client: client.store(FRAME, "n"),
    "None is no name of a dataset: give a text": lambda client: client.load(None),
    "5 is no name of a dataset: give a text": lambda client: client.describe(5),
    "['a'] is no name of a dataset: give a text": lambda client: client.versions(["a"]),
    "b'a' is no name of a dataset: give a text": lambda client: client.delete(b"a"),
    "1 is no name of a dataset: give a text": lambda client: client.store_batch({1: FRAME}),
    "2 is no name of a dataset: give a text": lambda client: client.append(2, FRAME),
    "3 is no name of a column: give a text, or a list of texts": lambda client: client.load("t", columns=3),
    "4 is no name of a column: give a text": lambda client: client.load("t", columns=["n", 4]),
    "10 are no rows to load: give a range such as range(100, 200), counted from 0": (
        lambda client: client.load("t", rows=10)
    ),
    "(0, 5) are no rows to load: give a range such as range(100, 200), counted from 0": (
        lambda client: client.load_stream("t", rows=(0, 5)).read_all()
    ),
    "slice(0.5, 2, None) are no rows to load: give a range such as range(100, 200), counted from 0": (
        lambda client: client.load("t", rows=slice(0.5, 2))
    ),
    "slice(-5, None, None) are no rows to load: give a range such as range(100, 200), counted from 0": (
        lambda client: client.load("t", rows=slice(-5, None))
    ),
    "'1' is no version: give a whole number, 0 or more": lambda client: client.load("t", version="1"),
    "True is no version: give a whole number, 0 or more": lambda client: client.scan("t", version=True),
    "'2024-01-01' is no time: give a datetime with a time zone": lambda client: client.load("t", as_of="2024-01-01"),
    "datetime.date(2024, 1, 1) is no time: give a datetime with a time zone": (
        lambda client: client.load("t", as_of=datetime.date(2024, 1, 1))
    ),
    "'0' is no expected_version: give a whole number, 0 or more": (
        lambda client: client.store("t", FRAME, expected_version="0")
    ),
    "-1 is no expected_version: give a whole number, 0 or more": (
        lambda client: client.delete("t", expected_version=-1)
    ),
    'mode=\'append\': a store may "overwrite" or "create"; `append` adds rows': (
        lambda client: client.store("t", FRAME, mode="append")
    ),
    "'5' is no time limit: give seconds, or a timedelta": lambda client: client.query("SELECT 1", time_limit="5"),
    "'5m' is no time to live: give seconds, or a timedelta": lambda client: client.query_handle("SELECT 1", ttl="5m"),
    "0 is no time to live: give seconds, or a timedelta": lambda client: client.query_handle("SELECT 1", ttl=0),
    "'abc' is no UUID of version 7: polarway.fresh_request gives one": (
        lambda client: client.store("t", FRAME, request="abc")
    ),
    "UUID('00000000-0000-4000-8000-000000000000') is no UUID of version 7: polarway.fresh_request gives one": (
        lambda client: client.delete("t", request=uuid.UUID("00000000-0000-4000-8000-000000000000"))
    ),
    "5 is no id of a query: give a text": lambda client: client.cancel(5),
    "5 are no parameters: give a list for `?` and `$1`, or a dict for `$name`": (
        lambda client: client.query("SELECT $1", 5)
    ),
    "a DataFrame can't be scanned: give a dataset's name, a handle or its id, or a SELECT": (
        lambda client: client.scan(FRAME)
    ),
}


@pytest.mark.parametrize("says", MISTAKES)
def test_a_mistake_is_named_as_the_user_made_it(client: Any, says: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        MISTAKES[says](client)
    assert str(caught.value) == says


def test_what_is_no_table_is_named_by_its_type(client: Any) -> None:
    for data, type_ in [
        ({"n": [1]}, "a value of type dict"),
        (pl.DataFrame, "the class polars.dataframe.frame.DataFrame"),
    ]:
        with pytest.raises(InvalidInput) as caught:
            client.store("t", data)
        assert str(caught.value).startswith(f"'t': {type_} is no table: give a polars DataFrame")


def test_an_expression_of_polars_is_refused_where_sql_is_meant(address: str) -> None:
    with DistributedClient(address) as client, client.query_handle("SELECT 1 AS n") as handle:
        with pytest.raises(InvalidInput, match="expressions of polars are for `scan`") as caught:
            handle.filter(pl.col("n") > 0)  # type: ignore[arg-type]
        assert "\n" not in str(caught.value)


def test_numbers_of_numpy_and_times_are_taken_as_pythons(client: Any) -> None:
    name = "numbers_of_numpy"
    with pytest.raises(polarway.Conflict):
        client.store(name, FRAME, expected_version=np.int64(7))
    version = client.store(name, FRAME).version
    assert client.load(name, version=np.int32(version), rows=slice(np.int64(1), np.int64(2)))["n"].to_list() == [2]
    minute = datetime.timedelta(minutes=1)
    assert client.query("SELECT 1 AS one", time_limit=minute).height == 1
    assert client.query("SELECT 1 AS one", time_limit=np.float64(60)).height == 1
    assert client.query_handle("SELECT 1 AS one", ttl=minute, time_limit=10**12).ttl == minute
    with DistributedClient(client.urls[0], timeout=minute) as other:
        assert repr(other) == f"DistributedClient('{client.urls[0]}', timeout=60)"


def test_what_calls_give_is_shown_in_one_line_with_its_columns(client: Any) -> None:
    version = client.store("shown", FRAME).version
    description = client.describe("shown")
    assert description.schema == FRAME.schema
    assert description.columns == ["n"]
    assert repr(description).startswith(f"Description(name='shown', version={version}, ")
    assert repr(description).endswith(", columns=['n'])")
    handle = client.query_handle("SELECT 1::BIGINT AS n")
    assert handle.info.schema == FRAME.schema
    things = [description, handle, handle.info, handle.group_by("n", ["n % 2"]), *client.versions("shown")]
    assert repr(things[3]) == "<GroupBy: n, ['n % 2']>"
    with client.load_stream("shown") as stream:
        assert stream.read_all().equals(FRAME)
        assert repr(stream).endswith(f"TableStream: shown, version {version}>")
        things.append(stream)
    with client.query_stream("SELECT 1") as query:
        assert repr(query).endswith("QueryStream: SELECT 1>")
        things.append(query)
    assert all("\n" not in repr(thing) and " object at 0x" not in repr(thing) for thing in things)
