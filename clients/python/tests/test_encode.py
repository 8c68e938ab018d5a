"""How a table is cut for its way to the server."""

from __future__ import annotations

import itertools
from typing import Any

import hypothesis
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import strategies as st
from polars.testing.parametric import dataframes

import polarway
from polarway._encode import MOST_BYTES, MOST_PLAIN_BYTES, TARGET_BYTES, EncodedChunk, encoded
from polarway._outgoing import outgoing

# What a chunk may take besides the values: metadata, and padding for each buffer.
_OVERHEAD = 64 << 10


def chunks_of(table: Any) -> list[EncodedChunk]:
    return list(encoded(table.schema, table.to_batches()))


def size(chunk: EncodedChunk) -> int:
    return sum(map(len, chunk.ipc))


def checked(table: Any) -> list[EncodedChunk]:
    """The chunks of a table, which are one stream with its rows."""
    chunks = chunks_of(table)
    next_row = 0
    for chunk in chunks:
        assert chunk.first_row == next_row
        next_row += chunk.rows
    assert chunks[-1].rows == 0
    stream = b"".join(piece for chunk in chunks for piece in chunk.ipc)
    back = pa.ipc.open_stream(stream).read_all()
    back.validate(full=True)
    # Dictionaries may have other values, and their keys with them.
    assert back.schema.equals(table.schema, check_metadata=True)
    # As text, NaN is equal to NaN.
    assert repr(back.to_pylist()) == repr(table.to_pylist()) if table.num_rows < 1_000 else back.equals(table)
    return chunks


def test_a_large_table_is_cut_into_chunks_of_a_mebibyte() -> None:
    table = pa.table({"n": range(1_000_000), "s": pa.array(map(str, range(1_000_000)), pa.large_string())})
    chunks = checked(table)
    assert len(chunks) - 1 == pytest.approx(table.nbytes / TARGET_BYTES, rel=0.1)
    assert max(size(chunk) for chunk in chunks) < TARGET_BYTES * 5 // 4 + _OVERHEAD


def test_many_small_batches_travel_together() -> None:
    table = pa.concat_tables([pa.table({"n": [n], "s": [str(n)]}) for n in range(2_000)])
    assert len(checked(table)) == 2


def test_a_chunk_of_a_wide_table_has_a_thousand_rows() -> None:
    table = pa.table({f"c{column}": pa.array(range(4_000), pa.int64()) for column in range(1_000)})
    rows = [chunk.rows for chunk in checked(table)[:-1]]
    assert min(rows) >= 1_000


def test_a_table_without_rows_is_one_chunk_with_its_schema() -> None:
    (chunk,) = checked(pa.schema([("n", pa.int8())]).empty_table())
    assert (chunk.first_row, chunk.rows) == (0, 0)


def test_rows_of_uneven_size_are_cut_until_they_fit() -> None:
    texts = ["x" * (2_000_000 if row % 97 == 0 else 10) for row in range(500)]
    chunks = checked(pa.table({"s": texts}))
    assert max(size(chunk) for chunk in chunks) < 2 * TARGET_BYTES + _OVERHEAD


@pytest.mark.parametrize("kind", [pa.string_view(), pa.binary_view(), pa.list_view(pa.string_view())])
def test_columns_of_views_are_not_sent_whole_with_each_part(kind: Any) -> None:
    texts = [f"a text that does not fit into a view {row}" for row in range(60_000)]
    values = [[text] if pa.types.is_list_view(kind) else text for text in texts]
    array = pa.array(values, kind) if not pa.types.is_binary_view(kind) else pa.array(map(str.encode, texts), kind)
    table = pa.table({"c": array, "n": range(len(array))})
    sent = sum(size(chunk) for chunk in checked(table))
    assert sent < 2 * table.get_total_buffer_size()
    # A part of a column has the whole column's values behind it.
    few = table.slice(30_000, 10)
    assert sum(size(chunk) for chunk in checked(few)) < _OVERHEAD


def test_views_keep_their_types_where_they_are_nested_and_null() -> None:
    texts = pa.list_view(pa.string_view())
    rows: list[Any] = [{"t": ["a", None], "m": [("k", "v")]}, None, {"t": None, "m": None}, {"t": [], "m": []}, None]
    kind = pa.struct([("t", texts), ("m", pa.map_(pa.string_view(), pa.string_view()))])
    table = pa.table({"c": pa.array(rows, kind), "f": pa.array([[["x"]], None] * 2 + [[None]], pa.list_(texts, 1))})
    for part in table, table.slice(1), table.slice(2, 2), table.slice(5):
        checked(part)


def test_of_a_large_dictionary_each_chunk_gets_the_values_that_it_uses() -> None:
    texts = pa.array([f"{value:0100}" for value in range(400_000)])
    table = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array(range(400_000), pa.int32()), texts)})
    nested = pa.table({"l": pa.ListArray.from_arrays(range(0, 400_001, 4), table["c"].chunk(0))})
    for large in table, nested:
        assert max(size(chunk) for chunk in chunks_of(large)) < MOST_BYTES // 2
    # A small one is sent once.
    small = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([0, 1, 2, None] * 500_000, pa.int8()), texts[:3])})
    chunks = checked(small)
    assert sum(size(chunk) for chunk in chunks) < 2_000_000 + 600_000


def test_dictionaries_that_differ_from_batch_to_batch_arrive() -> None:
    batches = [pa.record_batch([pa.array([value, "same"]).dictionary_encode()], ["c"]) for value in "abcd"]
    checked(pa.Table.from_batches(batches))
    # Together they have more values than keys of eight bits can tell apart.
    parts = [pa.array([f"{part}-{value}" for value in range(100)]) for part in range(4)]
    keys = pa.array(range(100), pa.int8())
    batches = [pa.record_batch([pa.DictionaryArray.from_arrays(keys, part)], ["c"]) for part in parts]
    checked(pa.Table.from_batches(batches))


def test_few_bytes_never_mean_more_than_a_reader_takes() -> None:
    page = pa.array(["a page of text " * 100])
    table = pa.table({"c": pa.DictionaryArray.from_arrays(pa.array([0] * 1_000_000, pa.int8()), page)})
    rows = [chunk.rows for chunk in chunks_of(table)[:-1]]
    assert max(rows) * len(page[0].as_py()) <= MOST_PLAIN_BYTES


def test_a_row_that_no_chunk_can_hold_is_refused_by_its_number() -> None:
    texts = pa.array(["x", "y" * (MOST_BYTES + 1), "z"])
    with pytest.raises(polarway.InvalidInput, match=r"^row 1 takes \d+ bytes"):
        chunks_of(pa.table({"s": texts}))


def test_what_arrow_cannot_write_is_refused() -> None:
    deep = pa.array([1])
    for _ in range(70):
        deep = pa.ListArray.from_arrays([0, 1], deep)
    with pytest.raises(polarway.InvalidInput, match="can't be sent"):
        chunks_of(pa.table({"c": deep}))


@hypothesis.settings(max_examples=hypothesis.settings().max_examples // 5)
@hypothesis.given(
    dataframes(max_cols=4, max_size=40, excluded_dtypes=[pl.Object]), st.lists(st.integers(0, 40), max_size=4)
)
def test_all_that_polars_has_arrives_however_it_was_cut(frame: pl.DataFrame, cuts: list[int]) -> None:
    table = outgoing(frame)
    borders = sorted({0, frame.height, *(cut % (frame.height + 1) for cut in cuts)})
    whole = pa.Table.from_batches(table.batches(), schema=table.schema)
    parts = [whole.slice(begin, end - begin) for begin, end in itertools.pairwise(borders)]
    checked(pa.concat_tables(parts) if parts else whole)
