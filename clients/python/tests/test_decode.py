"""What is made of chunks, whatever a server sends."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from polarway import ProtocolError
from polarway._decode import END_MARK, Rows, Table
from polarway._forms import Forms


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


class Extension(pa.ExtensionType):  # type: ignore[misc]
    """A type of somebody's own, which is stored as words out of a dictionary."""

    def __init__(self) -> None:
        super().__init__(BATCH.schema.field("word").type, "tests.extension")

    def __arrow_ext_serialize__(self) -> bytes:
        return b""

    @classmethod
    def __arrow_ext_deserialize__(cls, storage_type: pa.DataType, serialized: bytes) -> Extension:
        return cls()


@pytest.fixture
def extension() -> Iterator[None]:
    pa.register_extension_type(Extension())
    yield
    pa.unregister_extension_type("tests.extension")


WORDS = BATCH["word"]


@pytest.mark.usefixtures("extension")
@pytest.mark.parametrize(
    "words",
    [
        pa.StructArray.from_arrays([pa.ListArray.from_arrays(pa.array([0, 1, 2, 3]), WORDS)], ["inner"]),
        pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), WORDS),
        pa.MapArray.from_arrays(pa.array([0, 1, 2, 3]), pa.array([1, 2, 3]), WORDS),
        pa.ExtensionArray.from_storage(Extension(), WORDS),
    ],
    ids=["lists in a struct", "runs", "map", "extension"],
)
def test_words_of_a_dictionary_are_found_at_any_depth_in_later_chunks(words: pa.Array) -> None:
    batch = pa.record_batch({"words": words})
    first, second, end = stream_of(batch, 2)
    table = Table("arrow")
    pieces = [table.piece([Rows(1, first, 3)]), table.piece([Rows(1, second, 3), Rows(1, end, 0)])]
    assert table.joined(pieces).equals(pa.Table.from_batches([batch, batch]))


def test_schemas_that_were_seen_are_known_and_those_that_differ_in_anything_are_others() -> None:
    forms = Forms()
    plain = pa.record_batch({"n": [1]})
    marked = plain.replace_schema_metadata({"by": "me"})
    for _ in range(2):
        for batch in plain, marked, pa.record_batch({"m": [1]}):
            for as_ in "arrow", "polars":
                table = Table(as_, forms=forms)
                table.piece([Rows(1, stream_of(batch, 1)[0], 1)])
                assert table.schema.equals(batch.schema, check_metadata=True)
    assert forms.count == 6
    for n in range(200):
        Table("arrow", forms=forms).piece([Rows(1, stream_of(pa.record_batch({f"c{n}": [1]}), 1)[0], 1)])
    assert forms.count <= 64


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
