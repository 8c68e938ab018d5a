"""Tables of every type, stored in a real server and loaded again."""

from __future__ import annotations

import datetime
import decimal
import itertools
import math
import uuid
from collections.abc import Iterator
from typing import Any

import grpc
import hypothesis
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import column, dataframes

from polarway import DistributedClient
from polarway._generated import messages, methods
from polarway._wire import decode, encode
from test_tables import DTYPES

D = decimal.Decimal


@pytest.fixture(scope="module")
def one(address: str) -> Iterator[DistributedClient]:
    """A client for all tests here. What goes over the wire is the same with each kind of client."""
    with DistributedClient(address) as client:
        yield client


def again(client: DistributedClient, data: object, as_: Any = "polars") -> Any:
    """What comes back of a table."""
    client.store("round_trip", data)
    return client.load("round_trip", as_=as_)


# polars


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_random_frames_of_polars_are_equal(one: DistributedClient, dtype: Any) -> None:
    @hypothesis.settings(max_examples=max(6, hypothesis.settings().max_examples // 40))
    @hypothesis.given(dataframes([column("c", dtype=dtype)], max_size=30))
    def check(frame: pl.DataFrame) -> None:
        assert_frame_equal(again(one, frame), frame, check_exact=True)

    check()


def test_random_frames_of_many_columns_are_equal(one: DistributedClient) -> None:
    @hypothesis.settings(max_examples=hypothesis.settings().max_examples // 10)
    @hypothesis.given(dataframes(max_cols=8, max_size=30, excluded_dtypes=[pl.Object]))
    def check(frame: pl.DataFrame) -> None:
        stored = frame.select(pl.col(name) for name, dtype in frame.schema.items() if _is_storable(dtype))
        if stored.width:
            assert_frame_equal(again(one, stored), stored, check_exact=True)

    check()


def _is_storable(dtype: Any) -> bool:
    """Parquet has no arrays of width zero and no structs without fields."""
    if isinstance(dtype, pl.Array):
        return dtype.size > 0 and _is_storable(dtype.inner)
    if isinstance(dtype, pl.Struct):
        return bool(dtype.fields) and all(_is_storable(field.dtype) for field in dtype.fields)
    return _is_storable(dtype.inner) if isinstance(dtype, pl.List) else True


EXTREMES: list[pl.Series] = [
    pl.Series([-(2**63), None, 2**63 - 1], dtype=pl.Int64),
    pl.Series([0, None, 2**64 - 1], dtype=pl.UInt64),
    pl.Series([-(2**127), None, 2**127 - 1], dtype=pl.Int128),
    pl.Series([0, None, 2**128 - 1], dtype=pl.UInt128),
    pl.Series([math.nan, math.inf, -math.inf, -0.0, 5e-324, 1.7976931348623157e308, None], dtype=pl.Float64),
    pl.Series([math.nan, math.inf, -0.0, None], dtype=pl.Float16),
    pl.Series([D("9" * 38), D("-" + "9" * 38), None], dtype=pl.Decimal(38, 0)),
    pl.Series([-(2**63), 0, 2**63 - 1, None], dtype=pl.Int64).cast(pl.Datetime("ns", "America/St_Johns")),
    pl.Series([-(2**63), 2**63 - 1, None], dtype=pl.Int64).cast(pl.Duration("us")),
    pl.Series([-(2**31), 2**31 - 1, None], dtype=pl.Int32).cast(pl.Date),
    pl.Series([0, 86_399_999_999_999, None], dtype=pl.Int64).cast(pl.Time),
    pl.Series(["", "\0", "ä🦆", "a" * 100_000, None], dtype=pl.String),
    pl.Series([b"", b"\0\xff", None], dtype=pl.Binary),
    pl.Series([f"category {number}" for number in range(70_000)], dtype=pl.Categorical),
    pl.Series(["x", None], dtype=pl.Categorical(pl.Categories("colours", "shop", pl.UInt8))),
    pl.Series([f"value {number}" for number in range(300)], dtype=pl.Enum([f"value {n}" for n in range(70_000)])),
    pl.Series([None, None], dtype=pl.Enum([])),
    pl.Series([{"a": 1, "b": None}, {}, None], dtype=pl.Map(pl.String, pl.Int64)),
    pl.Series([{"a": [2**100]}, None], dtype=pl.Map(pl.String, pl.List(pl.Int128))),
    pl.Series([1, None], dtype=pl.Int64).ext.to(pl.Extension("some.unit", pl.Int64(), "metres")),
    pl.Series([[[]], [None], None, [[{"x": [1, None]}]]], dtype=pl.List(pl.List(pl.Struct({"x": pl.List(pl.Int8)})))),
    pl.Series([[[1, 2], None], None], dtype=pl.Array(pl.Array(pl.Int16, 2), 2)),
]


@pytest.mark.parametrize("series", EXTREMES, ids=lambda series: str(series.dtype)[:40])
def test_the_extreme_values_of_polars_types_are_equal(one: DistributedClient, series: pl.Series) -> None:
    frame = series.alias("c").to_frame()
    back = again(one, frame)
    assert back.schema == frame.schema
    assert_frame_equal(back, frame, check_exact=True)
    if series.dtype == pl.Float64:
        assert str(back["c"].to_list()) == str(series.to_list())


@pytest.mark.parametrize("name", ["", " ", "ä", "a.b", 'with "quotes"', "SELECT", "n" * 1_000, "\n"])
def test_columns_may_have_any_name(one: DistributedClient, name: str) -> None:
    frame = pl.DataFrame({name: [1], "N": [2], "n": [3]})
    assert_frame_equal(again(one, frame), frame)


# Arrow


def arrays_of_arrow() -> dict[str, Any]:
    """An array for each type that a server stores."""
    numbers = (pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64())
    day, noon = datetime.date(2026, 11, 27), datetime.time(12, 0, 1)
    lists = [[1], None, [], [2, None]]
    values = {
        **{kind: [1, None, 0] for kind in (*numbers, pa.float32(), pa.float64())},
        pa.float16(): [np.float16(1), None, np.float16(0)],
        pa.bool_(): [True, None, False],
        pa.null(): [None, None],
        **{kind: ["a", None, ""] for kind in (pa.string(), pa.large_string(), pa.string_view())},
        **{kind: [b"ab", None, b"cd"] for kind in (pa.binary(), pa.large_binary(), pa.binary_view(), pa.binary(2))},
        **{kind: [day, None, datetime.date(1, 1, 1)] for kind in (pa.date32(), pa.date64())},
        **{kind: [noon, None] for kind in (pa.time32("s"), pa.time32("ms"), pa.time64("us"), pa.time64("ns"))},
        **{pa.timestamp(unit): [1, None, -1] for unit in ("s", "ms", "us", "ns")},
        **{pa.timestamp(unit, "Europe/Berlin"): [1, None, -1] for unit in ("s", "ms", "us", "ns")},
        **{pa.timestamp("us", zone): [1, None] for zone in ("+05:30", "Mars/Base", "UTC")},
        **{pa.duration(unit): [1, None, -1] for unit in ("s", "ms", "us", "ns")},
        **{kind: [D("1"), None, D("-2")] for kind in (pa.decimal32(5, 2), pa.decimal64(9, 2), pa.decimal128(38, 2))},
        **{kind: [D("1"), None, D("-2")] for kind in (pa.decimal256(76, 2), pa.decimal256(5, 0))},
        **{kind(pa.int64()): lists for kind in (pa.list_, pa.large_list, pa.list_view, pa.large_list_view)},
        pa.list_view(pa.struct([("v", pa.string_view())])): [[{"v": "x"}, None], None, [{"v": None}]],
        pa.list_(pa.int8(), 2): [[1, 2], None],
        pa.struct([("a", pa.int8()), pa.field("b", pa.list_(pa.string()), nullable=False)]): [{"a": 1, "b": ["x"]}],
        pa.map_(pa.string(), pa.int64()): [[("k", 1)], None, []],
        pa.map_(pa.string(), pa.int64(), keys_sorted=True): [[("k", 1)], None],
        pa.uuid(): [uuid.UUID(int=7).bytes, None],
        pa.json_(): ["{}", None],
    }
    arrays = {str(kind): pa.array(content, kind) for kind, content in values.items()}
    for keys, is_ordered in itertools.product((pa.int8(), pa.uint16(), pa.int64()), (False, True)):
        dictionary = pa.array(["x", "y", "unused"])
        array = pa.DictionaryArray.from_arrays(pa.array([0, None, 1], keys), dictionary, ordered=is_ordered)
        arrays[str(array.type)] = array
    for content in ([1, 2], [b"x", b"y"], [1.5, 2.5], [D("1.5"), D("2.5")], [day, datetime.date(1, 1, 1)]):
        array = pa.DictionaryArray.from_arrays(pa.array([0, None, 1], pa.int8()), pa.array(content))
        arrays[str(array.type)] = array
    inner = arrays[str(pa.dictionary(pa.int8(), pa.string()))]
    arrays["list of dictionary"] = pa.ListArray.from_arrays(pa.array([0, 2, 3], pa.int32()), inner)
    return arrays


@pytest.mark.parametrize(("name", "array"), list(arrays_of_arrow().items()), ids=lambda case: str(case)[:60])
def test_tables_of_arrow_are_equal_and_come_out_in_every_form(one: DistributedClient, name: str, array: Any) -> None:
    field = pa.field("c", array.type, metadata={"unit": "metres"})
    table = pa.Table.from_arrays([array], schema=pa.schema([field], metadata={"made": "here"}))
    back = again(one, table, "arrow")
    assert back.equals(table), name
    assert back.schema.equals(table.schema, check_metadata=True)
    assert one.load("round_trip").height == len(array)
    # This zone is one of nobody's.
    if "Mars" not in name:
        assert len(one.load("round_trip", as_="pandas")) == len(array)


# pandas


def columns_of_pandas() -> dict[str, tuple[pd.Series, pd.Series]]:
    """For each type of pandas a column as it goes, and as it comes."""
    times = pd.Series(pd.to_datetime(["2026-01-01", None, "1900-01-01"]))
    durations = pd.Series(pd.to_timedelta([1, None, 3], "s"))
    arrow = {
        "int64": ([1, None], pa.int64()),
        "string": (["x", None], pa.string()),
        "list": ([[1], None], pa.list_(pa.int64())),
        "dictionary": (["x", None], pa.dictionary(pa.int8(), pa.string())),
        "time": ([1, None], pa.timestamp("us", "UTC")),
    }
    same: list[pd.Series] = [
        *(pd.Series([1, 0, 3], dtype=kind) for kind in ("int8", "int64", "uint64", "float16", "bool")),
        pd.Series([1, np.nan, -0.0], dtype="float32"),
        *(pd.Series([1, None, 3], dtype=kind) for kind in ("Int8", "UInt64", "Float32")),
        pd.Series([True, None], dtype="boolean"),
        *(pd.Series(["a", None], dtype=kind) for kind in ("str", "string", "category")),
        pd.Series([1, 2, 1], dtype="category"),
        pd.Series(pd.Categorical(["a", None], categories=["b", "a", "unused"], ordered=True)),
        *(times.astype(f"datetime64[{unit}]") for unit in ("s", "ms", "us", "ns")),
        times.dt.tz_localize("Asia/Kolkata"),
        times.dt.tz_localize("+05:30"),
        *(durations.astype(f"timedelta64[{unit}]") for unit in ("s", "us", "ns")),
        pd.Series(pd.period_range("2026-01", periods=3, freq="M")),
        pd.Series(pd.interval_range(0, 3)),
        pd.Series([datetime.date(2026, 1, 1), None]),
        pd.Series([datetime.time(1, 2, 3, 4), None]),
        pd.Series([b"a", None, b""], dtype=object),
        pd.Series([D("1.50"), None, D("-2.00")]),
        pd.Series([{"a": 1}, None]),
        pd.Series([uuid.UUID(int=7)]),
        *(pd.Series(values, dtype=pd.ArrowDtype(kind)) for values, kind in arrow.values()),
    ]
    columns = {str(series.dtype) + " " + str(series.iloc[0]): (series, series) for series in same}
    texts = pd.Series(["a", None], dtype=object)
    columns["objects that are texts"] = (texts, texts.astype("str"))
    # The metadata does not tell these from objects.
    decimals = pd.Series([D("1.50"), None], dtype=pd.ArrowDtype(pa.decimal128(5, 2)))
    columns["decimals of Arrow"] = (decimals, pd.Series([D("1.50"), None], dtype=object))
    return columns


@pytest.mark.parametrize("name", list(columns_of_pandas()))
def test_columns_of_pandas_are_equal(one: DistributedClient, name: str) -> None:
    goes, comes = columns_of_pandas()[name]
    back = again(one, pd.DataFrame({"c": goes, "n": range(len(goes))}), "pandas")
    pd.testing.assert_frame_equal(back, pd.DataFrame({"c": comes, "n": range(len(comes))}))


@hypothesis.settings(max_examples=max(10, hypothesis.settings().max_examples // 20))
@hypothesis.given(
    index=st.sampled_from(["default", "texts", "times", "levels", "range", "unnamed"]),
    rows=st.integers(0, 5),
    columns=st.one_of(*(st.lists(label, max_size=3, unique=True) for label in (st.text(max_size=4), st.integers()))),
)
def test_random_frames_of_pandas_have_their_index(
    one: DistributedClient, index: str, rows: int, columns: list[Any]
) -> None:
    indexes = {
        "default": None,
        "texts": pd.Index([f"row {row}" for row in range(rows)], name="key", dtype="str"),
        "times": pd.DatetimeIndex([f"2026-01-{row + 1:02}" for row in range(rows)], tz="UTC", name="time"),
        "levels": pd.MultiIndex.from_arrays([list(range(rows)), [1.5] * rows], names=["a", None]),
        "range": pd.RangeIndex(10, 10 + 2 * rows, 2, name="step"),
        "unnamed": pd.Index([row * 7 for row in range(rows)], dtype="int64"),
    }
    values = {label: [row * 1.5 for row in range(rows)] for label in columns or ["c"]}
    frame = pd.DataFrame(values, index=indexes[index] if index != "default" else None)
    pd.testing.assert_frame_equal(again(one, frame, "pandas"), frame)


def test_a_frame_of_pandas_that_was_appended_to_has_an_index_of_numbers(one: DistributedClient) -> None:
    frame = pd.DataFrame({"n": [1, 2]})
    again(one, frame)
    one.append("round_trip", frame)
    pd.testing.assert_frame_equal(one.load("round_trip", as_="pandas"), pd.concat([frame, frame], ignore_index=True))


# SQL


def test_results_of_sql_come_out_in_every_form(one: DistributedClient) -> None:
    frame = one.query(
        """SELECT INTERVAL '14 months 3 days 04:05:06' AS every,
            170141183460469231731687303715884105727::UHUGEINT AS big, sum(n) AS total,
            {'a': [INTERVAL '1 day']} AS nested, union_value(num := 2) AS either, 'x'::ENUM('x') AS kind,
            MAP {'k': 1} AS pairs, '1.5'::DECIMAL(38, 2) AS price, TIMETZ '12:00:00+02' AS time, NULL AS nothing
        FROM range(3) t(n)"""
    )
    assert frame.row(0)[:6] == (
        "1 year 2 months 3 days 04:05:06",
        "170141183460469231731687303715884105727",
        D(3),
        {"a": ["1 day"]},
        '{"num":2}',
        "x",
    )
    assert frame.schema["kind"] == pl.Categorical
    assert one.query("SELECT INTERVAL '1 day' AS every", as_="pandas")["every"].to_list() == ["1 day"]


@pytest.mark.parametrize("columns", ["1 AS id, 2 AS id", "1 AS id, 2 AS ID, 3 AS id", "1 AS a, 2 AS b"])
def test_columns_of_one_name_are_named_as_in_a_handle(one: DistributedClient, address: str, columns: str) -> None:
    sql = f"SELECT {columns}"
    request = messages.CreateHandleRequest(sql=sql)
    with grpc.insecure_channel(address) as channel:
        *_, last = channel.unary_stream(methods.CREATE_HANDLE.path)(encode(request))
    handle = decode(messages.CreateHandleResponse, last).handle
    assert handle is not None
    expected = pa.ipc.read_schema(pa.py_buffer(handle.schema)).names
    assert one.query(sql).columns == expected
    assert list(one.query(sql, as_="pandas").columns) == expected
    joined = pl.concat(list(one.query_stream(sql)))
    assert joined.columns == expected
