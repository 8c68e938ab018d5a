"""Encodes a table as the chunks that travel: an Arrow IPC stream that is cut at the borders of its messages.

The cuts are those of the Rust client. Arrow's writer sends all values of a column of views with each part of it, so
such columns are copied part by part, into a form that has only its own values.
"""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterable, Iterator
from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from polarway._nested import children, made_of, rebuilt, values, with_children
from polarway._sizes import has_dictionary, plain_bytes, sent_bytes
from polarway._wire import Bytes
from polarway.errors import InvalidInput

_MIB: Final = 1 << 20

# What a chunk aims at, and the most that a message may have.
TARGET_BYTES: Final = _MIB
MOST_BYTES: Final = 64 * _MIB
# The most that the rows of a message may take with every value written out.
MOST_PLAIN_BYTES: Final = 256 * _MIB
# Of a larger dictionary, each chunk gets the values that it uses.
_MOST_SHARED_BYTES: Final = MOST_BYTES // 4

# Chunks of tables with many columns aim at so many rows, as a reader does some work once for each column of a chunk.
_WIDE_ROWS: Final = 1_280
# So many columns make the target larger by one, up to a bound.
_COLUMNS_PER_TARGET: Final = 64
_MOST_TARGETS: Final = 16


@dataclasses.dataclass(frozen=True, slots=True)
class EncodedChunk:
    """A part of a table, as it travels."""

    # Its bytes in pieces. Large ones are parts of the table.
    ipc: list[Bytes]
    first_row: int
    rows: int


def encoded(schema: Any, batches: Iterable[Any]) -> Iterator[EncodedChunk]:
    """The chunks of a table, from the one with the schema to the one with the end of the stream.

    Raises:
        InvalidInput: A row or a dictionary is too large, or Arrow can't write a column.
    """
    sink = _Sink()
    try:
        writer = pa.ipc.new_stream(pa.PythonFile(sink, mode="w"), schema)
    except pa.ArrowException as error:
        raise InvalidInput(f"the table can't be sent: {error}") from error
    layout = _Layout(schema)
    next_row = 0
    for batch in layout.gathered(batches):
        for part in layout.cut(batch, next_row):
            try:
                writer.write_batch(layout.own(part))
            except pa.ArrowException as error:
                raise InvalidInput(f"the table can't be sent: {error}") from error
            *before, last = _within(sink.taken())
            for ipc in before:
                yield EncodedChunk(ipc, next_row, 0)
            yield EncodedChunk(last, next_row, part.num_rows)
            next_row += part.num_rows
    writer.close()
    yield EncodedChunk(sink.taken(), next_row, 0)


class _Sink:
    """A file that keeps what is written. Large pieces are parts of the table, and not copied."""

    closed = False

    def __init__(self) -> None:
        self._pieces: list[Bytes] = []

    def write(self, piece: Any) -> int:
        self._pieces.append(piece)
        return len(piece)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass

    def writable(self) -> bool:
        return True

    def taken(self) -> list[Bytes]:
        """What was written since the last time."""
        pieces, self._pieces = self._pieces, []
        return pieces


def _within(ipc: list[Bytes]) -> list[list[Bytes]]:
    """The messages in as few chunks as they fit into; dictionaries may need chunks of their own."""
    if sum(map(len, ipc)) <= MOST_BYTES:
        return [ipc]
    chunks = [b""]
    for message in pa.ipc.MessageReader.open_stream(b"".join(ipc)):
        written = message.serialize().to_pybytes()
        if len(written) > MOST_BYTES:
            raise InvalidInput(f"a dictionary takes {len(written)} bytes, but one can have at most {MOST_BYTES}")
        if len(chunks[-1]) + len(written) > MOST_BYTES:
            chunks.append(b"")
        chunks[-1] += written
    return [[chunk] for chunk in chunks]


class _Layout:
    """How tables of a schema are cut."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema
        # Before they are cut, rows are in types of which a part has only its own values.
        self._cuttable = pa.schema([field.with_type(_cuttable_type(field.type)) for field in schema], schema.metadata)
        self._has_views = not self._cuttable.equals(schema)
        self._has_dictionaries = any(has_dictionary(field.type) for field in schema)
        self._targets = min(max(len(schema) // _COLUMNS_PER_TARGET, 1), _MOST_TARGETS)

    def gathered(self, batches: Iterable[Any]) -> Iterator[Any]:
        """The same rows, in batches of about a chunk at least where that takes joining."""
        waiting: list[Any] = []
        waiting_bytes = 0
        for batch in itertools.chain.from_iterable(map(self._made_cuttable, batches)):
            batch_bytes = self._sent_bytes(batch)
            if waiting and waiting_bytes + batch_bytes > TARGET_BYTES:
                yield from self._joined(waiting)
                waiting, waiting_bytes = [], 0
            waiting.append(batch)
            waiting_bytes += batch_bytes
        yield from self._joined(waiting)

    def cut(self, batch: Any, first_row: int) -> Iterator[Any]:
        """The parts of a batch, in order, each about as large as a chunk should be.

        Raises:
            InvalidInput: A row is too large.
        """
        target = self._target_bytes(batch)
        # A stack instead of recursion. It is filled from the end, so that parts leave it in the order of their rows.
        open_parts = [batch]
        while open_parts:
            part = open_parts.pop()
            rows = part.num_rows
            sent = self._sent_bytes(part)
            plain = sum(map(plain_bytes, part.columns)) if self._has_dictionaries else sent
            if rows == 0:
                continue
            if sent <= target + target // 4 and plain <= MOST_PLAIN_BYTES:
                yield part
                first_row += rows
            elif rows > 1:
                pieces = min(max(-(-sent // target), -(-plain // MOST_PLAIN_BYTES), 2), rows)
                borders = [rows * piece // pieces for piece in range(pieces + 1)]
                slices = [part.slice(begin, end - begin) for begin, end in itertools.pairwise(borders)]
                open_parts.extend(reversed(slices))
            elif sent > MOST_BYTES or plain > MOST_PLAIN_BYTES:
                taken, most = (sent, MOST_BYTES) if sent > MOST_BYTES else (plain, MOST_PLAIN_BYTES)
                raise InvalidInput(f"row {first_row} takes {taken} bytes, but a row can have at most {most}")
            else:
                yield part
                first_row += 1

    def own(self, part: Any) -> Any:
        """The part in the table's own types, with no other values than its own."""
        if self._has_dictionaries:
            columns = [_with_used_values(column) for column in part.columns]
            part = pa.record_batch(columns, schema=self._cuttable)
        if not self._has_views:
            return part
        # Written and read, the values of the part are all that is there.
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._cuttable) as writer:
            writer.write_batch(part)
        (compact,) = pa.ipc.open_stream(sink.getvalue())
        return _in_types(compact, self._schema)

    def _made_cuttable(self, batch: Any) -> Iterable[Any]:
        if not self._has_views:
            return (batch,)
        # Some rows at a time: a batch may be as large as memory.
        rows = max(1, batch.num_rows * 8 * TARGET_BYTES // max(batch.get_total_buffer_size(), 1))
        return (_in_types(batch.slice(row, rows), self._cuttable) for row in range(0, batch.num_rows, rows))

    def _joined(self, batches: list[Any]) -> list[Any]:
        if len(batches) < 2:
            return batches
        try:
            return list(pa.Table.from_batches(batches, schema=self._cuttable).combine_chunks().to_batches())
        except pa.ArrowInvalid:
            # Their dictionaries have together more values than keys can tell apart.
            return batches

    def _sent_bytes(self, batch: Any) -> int:
        return sum(map(sent_bytes, batch.columns))

    def _target_bytes(self, batch: Any) -> int:
        if self._targets == 1 or batch.num_rows == 0:
            return TARGET_BYTES
        row_bytes = self._sent_bytes(batch) // int(batch.num_rows)
        return max(TARGET_BYTES, min(row_bytes * _WIDE_ROWS, self._targets * TARGET_BYTES))


def _in_types(batch: Any, schema: Any) -> Any:
    columns = [rebuilt(column, field.type, _cast) for column, field in zip(batch.columns, schema, strict=True)]
    return pa.record_batch(columns, schema=schema)


def _cast(array: Any, wanted: Any) -> Any:
    # Polars does it in all versions of pyarrow, which can't cast views before 19.
    if _is_view(array.type):
        return pl.Series(array).to_arrow(compat_level=pl.CompatLevel.oldest())
    if _is_view(wanted):
        return pl.Series(array).to_arrow(compat_level=pl.CompatLevel.newest())
    return array.cast(wanted)


def _is_view(data_type: Any) -> bool:
    return bool(pa.types.is_string_view(data_type) or pa.types.is_binary_view(data_type))


def _cuttable_type(data_type: Any) -> Any:
    types = pa.types
    if types.is_string_view(data_type):
        return pa.large_string()
    if types.is_binary_view(data_type):
        return pa.large_binary()
    fields = children(data_type)
    new = [field.with_type(_cuttable_type(field.type)) for field in fields]
    if types.is_list_view(data_type) or types.is_large_list_view(data_type):
        return pa.large_list(new[0])
    return data_type if new == fields else with_children(data_type, new)


def _with_used_values(array: Any) -> Any:
    """The array, with the values that it uses and no others in each dictionary that is large."""
    if pa.types.is_dictionary(array.type):
        if array.dictionary.nbytes <= _MOST_SHARED_BYTES:
            return array
        used = pc.unique(array.indices).drop_null()
        indices = pc.index_in(array.indices, value_set=used).cast(array.type.index_type)
        dictionary = array.dictionary.take(used)
        return pa.DictionaryArray.from_arrays(indices, dictionary, ordered=array.type.ordered, safe=False)
    if not has_dictionary(array.type):
        return array
    before = values(array)
    parts = [_with_used_values(part) for part in before]
    is_same = all(new is old for new, old in zip(parts, before, strict=True))
    return array if is_same else made_of(array, parts, array.type)
