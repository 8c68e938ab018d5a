"""Tables of the server as lazy frames of polars.

polars asks a source for some columns, for the first rows, and for the rows for which a predicate is true. Without a
predicate, the rows are loaded. With one, a query over the same version applies the parts of it that SQL can express,
and the whole predicate is applied again here. If the query fails, the rows are loaded and filtered here: it only saves
time.
"""

from __future__ import annotations

import dataclasses
import logging
import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import polars as pl
import pyarrow as pa
from polars.io.plugins import register_io_source

from polarway import _arguments
from polarway._kept import Kept
from polarway._model import schema_in_polars
from polarway._predicate import Condition, condition
from polarway._sql import identifier
from polarway._sql_columns import SqlColumn, sql_columns
from polarway.errors import InvalidInput, PermissionDenied, QueryError, ResourceExhausted, Unavailable

if TYPE_CHECKING:
    from polarway._client import DistributedClient
    from polarway._query import Parameters

_LOG: Final = logging.getLogger("polarway")

# A dataset's name has no spaces, and none is named like a handle.
_HANDLE_ID: Final = re.compile("h_[a-z2-7]{26}")

# A load may succeed where a query has failed for one of these reasons.
_OF_QUERIES: Final = (InvalidInput, PermissionDenied, QueryError, ResourceExhausted, Unavailable)


def scan(
    client: DistributedClient,
    source: str | Kept,
    parameters: Parameters | None,
    version: int | None,
    as_of: datetime | None,
) -> pl.LazyFrame:
    """A dataset, a handle or the result of a query, as a lazy frame."""
    if not isinstance(source, str | Kept):
        raise InvalidInput(
            f"{_arguments.shown(source)} can't be scanned: give a dataset's name, a handle or its id, or a SELECT"
        )
    is_query = isinstance(source, str) and any(map(str.isspace, source.strip()))
    if parameters is not None and not is_query:
        raise InvalidInput("only a SELECT has parameters")
    if isinstance(source, str) and not is_query and not _HANDLE_ID.fullmatch(source):
        description = client.describe(source, version=version, as_of=as_of)
        table = ScannedTable(client, source, description.version, description.arrow_schema)
        return table.lazy_frame()
    if version is not None or as_of is not None:
        raise InvalidInput("only a dataset has versions; a SELECT names one with AT (VERSION => …)")
    handle: Kept
    if isinstance(source, Kept):
        handle = source
    elif is_query:
        handle = client.query_handle(source, parameters)
    else:
        handle = client.handle(source)
    return ScannedTable(client, handle.id, None, handle.arrow_schema, held=handle).lazy_frame()


@dataclasses.dataclass(frozen=True, slots=True)
class ScannedTable:
    """A table that never changes: a version of a dataset, or a handle."""

    client: DistributedClient
    name: str
    # `None` for a handle.
    version: int | None
    arrow_schema: pa.Schema
    # A handle that must not be dropped while the table may be read.
    held: object = None

    def lazy_frame(self) -> pl.LazyFrame:
        """The table as a source of polars."""
        source = _Source(self)
        at = "" if self.version is None else f", version {self.version}"
        schema: Any = source.dtypes
        return register_io_source(
            source, schema=schema, is_pure=True, explain_name="polarway", explain_detail=self.name + at
        )


class _Source:
    """What polars calls to get rows. It can be pickled, if the client can."""

    def __init__(self, table: ScannedTable) -> None:
        self._table = table
        self.dtypes = schema_in_polars(table.arrow_schema)
        self._sql_columns = sql_columns(table.arrow_schema, self.dtypes)

    def __call__(
        self,
        with_columns: Sequence[str] | None,
        predicate: pl.Expr | None,
        n_rows: int | None,
        batch_size: int | None,  # noqa: ARG002 - The server decides how many rows it sends at once.
    ) -> Iterator[pl.DataFrame]:
        """The rows, in pieces.

        Args:
            with_columns: The columns to give.
            predicate: The rows to give. polars does not filter them again.
            n_rows: How many rows of the table are meant, before the predicate.
            batch_size: How many rows a piece should have.
        """
        wanted = list(self.dtypes) if with_columns is None else list(with_columns)
        if predicate is None:
            yield from self._loaded(wanted, n_rows)
            return
        others = [name for name in predicate.meta.root_names() if name not in wanted]
        # The predicate may name columns that are not to be given.
        read = wanted + list(dict.fromkeys(others))
        pushed = self._condition(predicate, read)
        given = 0
        if pushed is not None:
            try:
                for rows in self._queried(read, pushed, n_rows):
                    found = _of_columns(rows.filter(predicate), wanted)
                    yield found
                    given += found.height
            except _OF_QUERIES as error:
                _LOG.info("rows of %s are filtered here, because a query failed: %s", self._table.name, error)
            else:
                return
        # A query gives the rows in the order of the table.
        for rows in self._loaded(read, n_rows):
            found = _of_columns(rows.filter(predicate), wanted)
            yield found.slice(given)
            given = max(0, given - found.height)

    def _condition(self, predicate: pl.Expr, read: list[str]) -> Condition | None:
        if any(name not in self._sql_columns for name in read):
            return None
        return condition(predicate, {name: self.dtypes[name] for name in self._sql_columns})

    def _loaded(self, read: list[str], n_rows: int | None) -> Iterator[pl.DataFrame]:
        """The rows of a load."""
        table = self._table
        # A load without columns is one of all columns. The rows count, also if no column is read.
        columns = read or list(self.dtypes)[:1]
        rows = None if n_rows is None else range(n_rows)
        with table.client.load_stream(table.name, version=table.version, columns=columns, rows=rows) as stream:
            for piece in stream:
                yield _of_columns(piece, read)

    def _queried(self, read: list[str], pushed: Condition, n_rows: int | None) -> Iterator[pl.DataFrame]:
        """The rows of a query, with the types of the table."""
        columns = [self._sql_columns[name] for name in read]
        sql = self._sql(read, columns, pushed, n_rows)
        parameters = [pa.array([value], value.type) for value in pushed.parameters]
        with self._table.client.query_stream(sql, parameters) as stream:
            for piece in stream:
                yield pl.DataFrame([_restored(piece[name], column) for name, column in zip(read, columns, strict=True)])

    def _sql(self, read: list[str], columns: list[SqlColumn], pushed: Condition, n_rows: int | None) -> str:
        table = self._table
        relation = identifier(table.name)
        if table.version is not None:
            relation += f" AT (VERSION => {table.version})"
        if n_rows is not None:
            relation = f"(SELECT {', '.join(map(identifier, read))} FROM {relation} LIMIT {n_rows})"
        return f"SELECT {', '.join(column.sql for column in columns)} FROM {relation} WHERE {pushed.sql}"


def _of_columns(frame: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """These columns. Without any, the frame still has its rows."""
    # `select` would take some names for patterns.
    return frame[names] if names else frame.drop(frame.columns)


def _restored(values: pl.Series, column: SqlColumn) -> pl.Series:
    """The values with the type of the table."""
    for dtype in column.casts:
        values = values.cast(dtype)
    return values
