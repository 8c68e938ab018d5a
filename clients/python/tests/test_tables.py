"""Tables that go out and come back, without a server between."""

from __future__ import annotations

import datetime
import decimal
import io
from collections.abc import Callable
from typing import Any, get_args

import hypothesis
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from polars.testing.parametric import column, dataframes

import polarway
from polarway._incoming import As, check_form, incoming
from polarway._names import distinct
from polarway._outgoing import Outgoing, outgoing

# Every type of polars that Arrow can carry, in some way.
DTYPES: list[Any] = [
    pl.Null(),
    pl.Boolean(),
    *(pl.Int8(), pl.Int16(), pl.Int32(), pl.Int64(), pl.Int128()),
    *(pl.UInt8(), pl.UInt16(), pl.UInt32(), pl.UInt64(), pl.UInt128()),
    *(pl.Float16(), pl.Float32(), pl.Float64()),
    *(pl.Decimal(38, 10), pl.Decimal(5, 0)),
    *(pl.String(), pl.Binary(), pl.Categorical(), pl.Enum(["a", "b", "ä", ""])),
    *(pl.Date(), pl.Time(), pl.Duration("ns"), pl.Duration("us"), pl.Duration("ms")),
    *(pl.Datetime("ns"), pl.Datetime("us"), pl.Datetime("ms"), pl.Datetime("us", "Europe/Berlin")),
    *(pl.List(pl.Int64()), pl.List(pl.List(pl.Categorical())), pl.Array(pl.Float32(), 3)),
    *(pl.Struct({"a": pl.Int8(), "b": pl.List(pl.String())}), pl.List(pl.Struct({"e": pl.Enum(["x"])}))),
    *(pl.List(pl.Int128()), pl.Struct({"u": pl.UInt128()}), pl.Array(pl.Int128(), 2)),
]


def sent(table: Outgoing) -> tuple[Any, list[Any]]:
    """The schema and the batches that arrive."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.batches():
            writer.write_batch(batch)
    reader = pa.ipc.open_stream(sink.getvalue())
    return reader.schema, list(reader)


def returned(data: object, as_: As = "polars") -> Any:
    """What somebody gets who loads what somebody else has stored."""
    schema, batches = sent(outgoing(data))
    target = incoming(as_, schema)
    return target.joined([target.piece([batch]) for batch in batches])


@pytest.mark.parametrize("dtype", DTYPES, ids=str)
def test_frames_of_polars_come_back_as_they_went(dtype: Any) -> None:
    @hypothesis.settings(max_examples=hypothesis.settings().max_examples // 4)
    @hypothesis.given(dataframes([column("c", dtype=dtype)], max_size=20))
    def check(frame: pl.DataFrame) -> None:
        assert_frame_equal(returned(frame), frame, check_exact=True)

    check()


def test_lazy_frames_are_collected_as_they_are_sent() -> None:
    frame = pl.DataFrame({"n": range(100_000), "wide": pl.Series(range(100_000), dtype=pl.Int128)})
    for columns in ["n"], ["n", "wide"]:
        query = frame.lazy().select(columns).filter(pl.col("n") % 2 == 0)
        table = outgoing(query)
        assert table.is_repeatable()
        assert_frame_equal(returned(query), query.collect())


def test_integers_of_128_bits_are_numbers_in_sql_if_they_fit() -> None:
    narrow = pl.DataFrame({"n": pl.Series([10**38 - 1, None, 1 - 10**38], dtype=pl.Int128)})
    wide = pl.DataFrame({"n": pl.Series([2**127 - 1, None, -(2**127)], dtype=pl.Int128)})
    assert outgoing(narrow).schema.field("n").type == pa.decimal128(38, 0)
    assert outgoing(wide).schema.field("n").type == pa.decimal256(39, 0)
    assert_frame_equal(returned(wide), wide)
    # They are decimals to everybody else.
    assert returned(narrow, "arrow")["n"].to_pylist() == [10**38 - 1, None, 1 - 10**38]


def test_a_frame_in_small_pieces_goes_out_in_few_batches() -> None:
    pieces = pl.concat([pl.DataFrame({"n": [n], "s": [str(n)]}) for n in range(1_000)], rechunk=False)
    # The columns are cut at different rows.
    frame = pieces.with_columns(pl.Series("m", range(1_000)))
    assert len(list(outgoing(frame).batches())) == 1
    assert_frame_equal(returned(frame), frame)


def test_a_large_frame_is_converted_piece_by_piece() -> None:
    frame = pl.DataFrame({"n": range(3_000_000)})
    assert len(list(outgoing(frame).batches())) > 2
    assert_frame_equal(returned(frame), frame)


@pytest.mark.parametrize(
    ("column_", "path", "type_"),
    [
        (pl.Series([object()], dtype=pl.Object), "c", "Object"),
        (pl.Series([], dtype=pl.List(pl.Struct({"a": pl.Object}))), "c[].a", "Object"),
        (pl.Series([], dtype=pl.Int128).ext.to(pl.Extension("e", pl.Int128())), "c", "e"),
    ],
)
def test_what_arrow_lacks_is_refused_by_its_column(column_: pl.Series, path: str, type_: str) -> None:
    frame = pl.DataFrame({"ok": column_.is_null(), "c": column_})
    for data in frame, frame.lazy():
        with pytest.raises(polarway.InvalidInput, match=type_) as caught:
            outgoing(data)
        assert repr(path) in str(caught.value)


@pytest.mark.parametrize("data", [None, 1, "flights", {"a": [1]}, [1], pl.Series([1]), pd.Series([1]), pl.DataFrame])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(polarway.InvalidInput, match=r"is no table|can't become Arrow"):
        outgoing(data)


# pandas


def pandas_frames() -> dict[str, pd.DataFrame]:
    base = pd.DataFrame({"n": [3, 1, 2], "s": ["x", None, "z"], "f": [1.5, float("nan"), -0.0]})
    return {
        "plain": base,
        "empty": base.iloc[:0],
        "index of texts": base.set_index(pd.Index(["p", "q", "r"], name="key")),
        "index of times": base.set_index(
            pd.to_datetime(["2026-01-01", None, "2026-01-03"]).tz_localize("Europe/Berlin")
        ),
        "index that begins later": base.set_index(pd.RangeIndex(5, 11, 2)),
        "two levels": base.set_index(pd.MultiIndex.from_tuples([(1, "a"), (1, "b"), (2, "a")], names=["i", None])),
        "category": base.assign(c=pd.Categorical(["b", "a", None], categories=["b", "a", "c"], ordered=True)),
        "nullable": base.assign(i=pd.array([1, None, 3], dtype="Int64"), b=pd.array([True, None, False], "boolean")),
        "times": base.assign(t=pd.to_datetime(["2026-01-01", None, "1999-12-31"]), d=pd.to_timedelta([1, 2, 3], "s")),
        "objects": base.assign(d=[decimal.Decimal("1.5"), None, decimal.Decimal("-2.0")], l=[[1], None, []]),
        "numbers as names": pd.DataFrame({0: [1, 2], 1: ["a", "b"]}),
    }


@pytest.mark.parametrize("name", list(pandas_frames()))
def test_frames_of_pandas_come_back_with_their_index(name: str) -> None:
    frame = pandas_frames()[name]
    back = returned(frame, "pandas")
    if "l" in back:
        # Lists are arrays of numpy afterwards.
        back["l"] = [None if values is None else list(values) for values in back["l"]]
    pd.testing.assert_frame_equal(back, frame)


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame({"ok": [1, 2], "mixed": [1, "two"]}), "mixed"),
        (pd.DataFrame({"ok": [1], "c": [1j]}), "complex"),
        (pd.DataFrame([[1, 2]], columns=["twice", "twice"]), "twice"),
    ],
)
def test_frames_of_pandas_that_arrow_refuses_are_refused_by_column(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(polarway.InvalidInput, match=says):
        outgoing(frame)


# Arrow


class Stream:
    """Something with `__arrow_c_stream__` that no library of ours made."""

    def __init__(self, table: Any) -> None:
        self._table = table

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._table.__arrow_c_stream__(requested_schema)


class Array:
    """Something with `__arrow_c_array__`."""

    def __init__(self, batch: Any) -> None:
        self._batch = batch

    def __arrow_c_array__(self, requested_schema: object = None) -> object:
        return self._batch.__arrow_c_array__(requested_schema)


@pytest.mark.parametrize(
    ("form", "is_repeatable"),
    [
        (lambda table: table, True),
        (lambda table: table.to_batches()[0], True),
        (lambda table: Array(table.to_batches()[0]), True),
        (lambda table: table.to_reader(), False),
        (Stream, False),
    ],
)
def test_every_form_of_arrow_goes_out(form: Callable[[Any], Any], is_repeatable: bool) -> None:
    table = pa.table({"n": [1, 2], "s": pa.array(["x", None], pa.string_view())}, metadata={"k": "v"})
    del is_repeatable
    back = returned(form(table), "arrow")
    assert back.equals(table)
    assert back.schema.metadata == {b"k": b"v"}


@pytest.mark.parametrize("form", [Stream, Array])
def test_a_stream_of_values_without_columns_is_refused(form: Callable[[Any], Any]) -> None:
    values = pa.array([1, 2])
    with pytest.raises(polarway.InvalidInput):
        outgoing(form(pa.chunked_array([values]) if form is Stream else values))


D = decimal.Decimal
_LISTS = [[1], None, [], [2, None], None]

# Arrow's types that polars has otherwise or lacks: what goes in, and what comes out.
CONVERTED: list[tuple[Any, Any, list[Any]]] = [
    (pa.array([D("1.5"), None], pa.decimal256(5, 2)), pl.Decimal(5, 2), [D("1.50"), None]),
    (pa.array([D(-(10**60)), None], pa.decimal256(70, 2)), pl.String(), ["-1" + 60 * "0" + ".00", None]),
    (pa.array([D("1.5")], pa.decimal32(5, 2)), pl.Decimal(5, 2), [D("1.50")]),
    (pa.array(_LISTS, pa.list_view(pa.int64())), pl.List(pl.Int64()), _LISTS),
    (pa.array([_LISTS, None, [None]], pa.large_list_view(pa.list_view(pa.int8()))), pl.List(pl.List(pl.Int8())), []),
    (pa.array([_LISTS, None, []], pa.list_(pa.list_view(pa.int64()))), pl.List(pl.List(pl.Int64())), []),
    (pa.array([[[1], None], None], pa.list_(pa.list_view(pa.int8()), 2)), pl.Array(pl.List(pl.Int8()), 2), []),
    (
        pa.array([{"d": D("1.5"), "n": 1}, None], pa.struct([("d", pa.decimal256(50, 1)), ("n", pa.int8())])),
        pl.Struct({"d": pl.String(), "n": pl.Int8()}),
        [{"d": "1.5", "n": 1}, None],
    ),
    (pa.array([[("k", [1])], None], pa.map_(pa.string(), pa.list_view(pa.int8()))), None, [{"k": [1]}, None]),
    (
        pa.StructArray.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"]),
        pl.Struct({"a": pl.Int64(), "a_1": pl.Int64()}),
        [{"a": 1, "a_1": 2}],
    ),
    (
        pa.array([pa.MonthDayNano([14, 3, 14_706_000_000_000]), None, pa.MonthDayNano([0, 0, 0])]),
        pl.String(),
        ["1 year 2 months 3 days 04:05:06", None, "00:00:00"],
    ),
    (
        pa.array([0, None], pa.timestamp("us", "+05:30")),
        pl.Datetime("us", "UTC"),
        [datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC), None],
    ),
    (pa.array([0], pa.timestamp("s", "Mars/Base")), pl.Datetime("ms", "UTC"), []),
    (pa.array([0], pa.timestamp("s")), pl.Datetime("ms"), [datetime.datetime(1970, 1, 1)]),
    (pa.array([1, 2, 1]).dictionary_encode(), pl.Int64(), [1, 2, 1]),
    (pa.array([D("1.5"), None], pa.decimal256(50, 1)).dictionary_encode(), pl.String(), ["1.5", None]),
    (pa.RunEndEncodedArray.from_arrays([2, 3], pa.array(["x", "y"])), pl.String(), ["x", "x", "y"]),
]


@pytest.mark.parametrize(("array", "dtype", "values"), CONVERTED, ids=lambda case: str(getattr(case, "type", "")))
def test_types_that_polars_lacks_are_converted(array: Any, dtype: Any, values: list[Any]) -> None:
    table = pa.table({"c": array, "row": range(len(array))})
    back = returned(table)["c"]
    assert dtype is None or back.dtype == dtype
    assert back.to_list() == (
        values or (array.to_pylist() if not pa.types.is_timestamp(array.type) else back.to_list())
    )
    # Any part of the rows, which has its own offsets, and none of them.
    for rows in table.slice(1), table.slice(0, 0):
        assert returned(rows)["c"].to_list() == back[rows.num_rows and 1 :][: rows.num_rows].to_list()
    assert returned(table, "arrow").equals(table)


def test_columns_of_one_name_are_named_as_those_of_a_handle() -> None:
    table = pa.Table.from_arrays([pa.array([n]) for n in range(4)], ["id", "ID", "id", "id_1"])
    assert returned(table).columns == ["id", "ID_2", "id_3", "id_1"]
    assert list(returned(table, "pandas").columns) == ["id", "ID_2", "id_3", "id_1"]
    assert returned(table, "arrow").column_names == table.column_names
    # Names that differ in case are different names of a dataset.
    assert returned(table.select([0, 1])).columns == ["id", "ID"]


def test_a_column_without_a_name_stays_without_one() -> None:
    # Polars itself would call it column_0.
    table = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["", "column_0"])
    assert returned(table).to_dict(as_series=False) == {"": [1], "column_0": [2]}


@hypothesis.given(st.lists(st.sampled_from(["a", "A", "a_1", "A_2", "b", ""])))
def test_names_are_made_distinct_and_those_that_stand_once_stay(names: list[str]) -> None:
    renamed = distinct(names)
    folded = [name.lower() for name in names]
    assert len({name.lower() for name in renamed}) == len(names)
    for name, new in zip(names, renamed, strict=True):
        assert new == name or folded.count(name.lower()) > 1


def test_what_polars_or_pandas_refuse_is_an_error_with_the_columns_name() -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    categories = pa.DictionaryArray.from_arrays(pa.array([0], pa.int8()), pa.array(["a", "a"]))
    for as_, array in ("polars", union), ("pandas", categories):
        schema = pa.schema([("ok", pa.int8()), ("odd", array.type)])
        batch = pa.record_batch([pa.array([1], pa.int8()), array], schema=schema)
        target = incoming(as_, schema)  # type: ignore[arg-type]
        with pytest.raises(polarway.InvalidInput, match="'odd'"):
            target.joined([target.piece([batch])])


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(polarway.InvalidInput, match="numpy"):
        check_form("numpy")


def test_a_table_without_rows_has_its_columns() -> None:
    schema = pa.schema([("a", pa.int8()), ("l", pa.list_view(pa.decimal256(60, 2)))])
    for as_ in get_args(As):
        table = incoming(as_, schema).joined([])
        assert table.shape == (0, 2)
