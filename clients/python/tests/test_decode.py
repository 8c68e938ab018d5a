"""What is made of chunks, whatever a server sends."""

from __future__ import annotations

import contextlib

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polarway import ProtocolError
from polarway._decode import END_MARK, Rows, Table


def stream_of(batch: pa.RecordBatch, count: int) -> list[bytes]:
    """The parts of an Arrow stream: the schema, each batch with its dictionaries, the end."""
    sink = pa.BufferOutputStream()
    writer = pa.ipc.new_stream(sink, batch.schema)
    borders = [0]
    for _ in range(count):
        writer.write_batch(batch)
        borders.append(sink.tell())
    writer.close()
    whole = sink.getvalue().to_pybytes()
    return [whole[start:end] for start, end in zip(borders, [*borders[1:], len(whole)], strict=True)]


BATCH = pa.record_batch({"n": [1, 2, 3], "word": pa.array(["a", "b", "a"]).dictionary_encode()})
FIRST, SECOND, END = stream_of(BATCH, 2)


def test_the_chunks_of_one_stream_are_one_table() -> None:
    table = Table("arrow")
    pieces = [table.piece([Rows(1, FIRST, 3)]), table.piece([Rows(1, SECOND, 3), Rows(1, END, 0)])]
    assert END == END_MARK
    assert table.joined(pieces).equals(pa.Table.from_batches([BATCH, BATCH]))


def test_a_stream_after_a_break_begins_with_the_schema_again() -> None:
    table = Table("arrow")
    piece = table.piece([Rows(1, FIRST, 3), Rows(2, FIRST, 3), Rows(2, SECOND, 3)])
    assert piece.num_rows == 9


def test_a_chunk_is_copied_once() -> None:
    table = Table("arrow")
    before = pa.total_allocated_bytes()
    many = pa.record_batch({"n": pa.array(range(1_000_000))})
    (chunk, _) = stream_of(many, 1)
    piece = table.piece([Rows(1, chunk, 1_000_000)])
    del many
    assert pa.total_allocated_bytes() - before < 1.1 * len(chunk)
    assert piece["n"][999_999].as_py() == 999_999


@pytest.mark.parametrize(
    ("chunks", "says"),
    [
        ([Rows(1, FIRST, 4)], "ends 1 rows early"),
        ([Rows(1, FIRST, 2)], "1 rows more"),
        ([Rows(1, FIRST[:-8], 3)], "no table"),
        ([Rows(1, SECOND, 3)], "no table"),
        ([Rows(1, END, 0)], "no table"),
        ([Rows(1, b"", 0)], "no table"),
        ([Rows(1, FIRST, 3), Rows(2, stream_of(BATCH.select(["n"]), 1)[0], 3)], "other columns"),
    ],
)
def test_what_is_no_table_is_told(chunks: list[Rows], says: str) -> None:
    with pytest.raises(ProtocolError) as caught:
        Table("arrow").piece(chunks)
    assert says in str(caught.value)


def test_other_columns_than_were_asked_for_are_told() -> None:
    with pytest.raises(ProtocolError, match="older than this client"):
        Table("arrow", ["word", "n"]).piece([Rows(1, FIRST, 3)])


@given(cut=st.integers(0, len(FIRST)), noise=st.binary(max_size=40))
def test_a_chunk_that_is_cut_or_followed_by_noise_is_a_table_or_an_error(cut: int, noise: bytes) -> None:
    table = Table("arrow")
    with contextlib.suppress(ProtocolError):
        assert table.piece([Rows(1, FIRST[:cut] + noise, 3)]).num_rows == 3
