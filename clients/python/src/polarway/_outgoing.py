"""Tables that users hand in, as Arrow: the schema, and batches that are made while they are sent."""

from __future__ import annotations

import dataclasses
import itertools
import sys
import threading
from collections.abc import Callable, Iterator
from typing import Any, Final

import polars as pl
import pyarrow as pa

from polarway import _integers128
from polarway._dtypes import first_in
from polarway.errors import InvalidInput

# Text gets 64-bit offsets, as pyarrow writes all values of a column of views with each part of it.
_COMPATIBILITY: Final = pl.CompatLevel.oldest()

# About what a batch out of a frame takes: it is converted while the one before is sent.
_BATCH_BYTES: Final = 8 << 20

# How much of a stream that can be read only once is kept for a retry.
_KEPT_BYTES: Final = 64 << 20


@dataclasses.dataclass(frozen=True, slots=True)
class Outgoing:
    """A table to send."""

    # Of type `pyarrow.Schema`.
    schema: Any
    # Begins to read at the first row. It may take long, and belongs on a thread of its own.
    batches: Callable[[], Iterator[Any]]
    # Whether the rows can be read again now, for a retry.
    is_repeatable: Callable[[], bool] = lambda: True
    # `None` if nobody knows before the last one is read.
    rows: int | None = None


def outgoing(data: object) -> Outgoing:
    """A table in any of the forms that users have.

    Args:
        data: A `polars.DataFrame` or `LazyFrame`, a `pandas.DataFrame`, a `pyarrow.Table`, `RecordBatch` or
            `RecordBatchReader`, or an object with `__arrow_c_stream__` or `__arrow_c_array__`.

    Raises:
        InvalidInput: It is none of these, or has a column that Arrow can't carry, which is named.
    """
    for kind, take in _FORMS:
        if isinstance(data, kind):
            return take(data)
    # Somebody who has a frame of pandas has imported it, which takes long.
    pandas = sys.modules.get("pandas")
    if pandas is not None and isinstance(data, pandas.DataFrame):
        return _of_pandas(data)
    # Series have streams too, of values without a name, and classes have the methods of their objects.
    if not isinstance(data, pl.Series | type) and (pandas is None or not isinstance(data, pandas.Series)):
        if hasattr(data, "__arrow_c_stream__"):
            return _of_reader(_imported(pa.RecordBatchReader.from_stream, data))
        if hasattr(data, "__arrow_c_array__"):
            return _of_batch(_imported(pa.record_batch, data))
    raise InvalidInput(
        f"{_type_name(data)} is no table: give a polars DataFrame or LazyFrame, "
        "a pandas DataFrame, a pyarrow Table, RecordBatch or RecordBatchReader, or what has __arrow_c_stream__"
    )


def _type_name(data: object) -> str:
    kind = data if isinstance(data, type) else type(data)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return f"the class {name}" if kind is data else f"a value of type {name}"


# Polars


def _of_frame(frame: pl.DataFrame) -> Outgoing:
    dtypes = dict(frame.schema)
    _check(dtypes)
    wide = [name for name, dtype in dtypes.items() if _integers128.holds(dtype)]
    frame = frame.with_columns([_integers128.as_decimals(frame[name]) for name in wide])
    plain = frame.clear().to_arrow(compat_level=_COMPATIBILITY).schema
    fields = [_integers128.decimal_field(field, dtypes[field.name]) for field in plain] if wide else list(plain)
    schema = pa.schema(fields)
    batch_rows = max(1, frame.height * _BATCH_BYTES // max(int(frame.estimated_size()), 1))

    def batches() -> Iterator[Any]:
        for first_row in range(0, frame.height, batch_rows):
            # Columns may be cut at different rows, and small pieces would be sent as small messages.
            rows = frame.slice(first_row, batch_rows).rechunk()
            yield from rows.to_arrow(compat_level=_COMPATIBILITY).cast(schema).to_batches()

    return Outgoing(schema, batches, rows=frame.height)


def _of_lazy_frame(frame: pl.LazyFrame) -> Outgoing:
    dtypes = dict(frame.collect_schema())
    _check(dtypes)
    if any(map(_integers128.holds, dtypes.values())):
        # What they are sent as depends on all values.
        return _of_frame(frame.collect())
    schema = _of_frame(pl.DataFrame(schema=dtypes)).schema

    def batches() -> Iterator[Any]:
        for rows in frame.collect_batches(lazy=True):
            yield from _of_frame(rows).batches()

    return Outgoing(schema, batches)


def _check(dtypes: dict[str, Any]) -> None:
    """Refuses what polars hands over as something else, or what pyarrow can't take."""
    for name, dtype in dtypes.items():
        found = first_in(dtype, _is_uncarried, name)
        if found is not None:
            path, uncarried = found
            raise InvalidInput(f"column {path!r} has polars' type {uncarried}, which Arrow can't carry")


def _is_uncarried(dtype: Any) -> bool:
    if isinstance(dtype, pl.BaseExtension):
        return _integers128.holds(dtype)
    return isinstance(dtype, pl.Object | pl.Unknown)


# Others


def _of_pandas(frame: Any) -> Outgoing:
    try:
        table = pa.Table.from_pandas(frame)
    except (pa.ArrowException, TypeError, ValueError, OverflowError) as error:
        # Arrow's second text is where: "Conversion failed for column x with type object".
        raise InvalidInput(f"the frame can't become Arrow: {'; '.join(map(str, error.args))}") from error
    return _of_table(table)


def _of_table(table: Any) -> Outgoing:
    return Outgoing(table.schema, lambda: iter(table.to_batches()), rows=table.num_rows)


def _of_batch(batch: Any) -> Outgoing:
    return Outgoing(batch.schema, lambda: iter((batch,)), rows=batch.num_rows)


def _of_reader(reader: Any) -> Outgoing:
    rows = _ReadOnce(reader)
    return Outgoing(reader.schema, rows.batches, rows.is_repeatable)


class _ReadOnce:
    """Batches of a stream that can be read only once. Those of a short one are kept for a retry."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader
        # The thread of a try that failed may still read when the next one begins.
        self._lock = threading.Lock()
        self._kept: list[Any] = []
        self._kept_bytes = 0

    def is_repeatable(self) -> bool:
        with self._lock:
            return self._kept_bytes <= _KEPT_BYTES

    def batches(self) -> Iterator[Any]:
        for index in itertools.count():
            with self._lock:
                if index == len(self._kept):
                    batch = next(self._reader, None)
                    if batch is None:
                        return
                    self._kept.append(batch)
                    self._kept_bytes += batch.get_total_buffer_size()
                    if self._kept_bytes > _KEPT_BYTES:
                        self._kept = [None] * len(self._kept)
                else:
                    batch = self._kept[index]
            yield batch


def _imported(take: Callable[[object], Any], data: object) -> Any:
    try:
        return take(data)
    except Exception as error:
        # The method is somebody else's, and may raise anything.
        raise InvalidInput(f"{type(data).__qualname__} can't become Arrow: {error}") from error


_FORMS: Final[tuple[tuple[Any, Callable[[Any], Outgoing]], ...]] = (
    (pl.DataFrame, _of_frame),
    (pl.LazyFrame, _of_lazy_frame),
    (pa.Table, _of_table),
    (pa.RecordBatch, _of_batch),
    (pa.RecordBatchReader, _of_reader),
)
