"""Which columns of a stored table SQL gives back as they are, and how their values become those of the table again.

SQL has other types than tables: a duration becomes an interval, a dictionary the texts in it. Where a value could be
another one afterwards, the column is not read with SQL.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import pyarrow as pa

from polarway._nested import children
from polarway._sql import identifier

# What the server writes into the metadata of a field that comes from a query: its type in SQL.
_SQL_TYPE: Final = b"polarway.duckdb.type"

_SIMPLE: Final[Mapping[int, str]] = {
    pa.lib.Type_BOOL: "BOOLEAN",
    pa.lib.Type_INT8: "TINYINT",
    pa.lib.Type_INT16: "SMALLINT",
    pa.lib.Type_INT32: "INTEGER",
    pa.lib.Type_INT64: "BIGINT",
    pa.lib.Type_UINT8: "UTINYINT",
    pa.lib.Type_UINT16: "USMALLINT",
    pa.lib.Type_UINT32: "UINTEGER",
    pa.lib.Type_UINT64: "UBIGINT",
    pa.lib.Type_FLOAT: "FLOAT",
    pa.lib.Type_DOUBLE: "DOUBLE",
    pa.lib.Type_STRING: "VARCHAR",
    pa.lib.Type_LARGE_STRING: "VARCHAR",
    pa.lib.Type_STRING_VIEW: "VARCHAR",
    pa.lib.Type_BINARY: "BLOB",
    pa.lib.Type_LARGE_BINARY: "BLOB",
    pa.lib.Type_BINARY_VIEW: "BLOB",
    pa.lib.Type_FIXED_SIZE_BINARY: "BLOB",
    pa.lib.Type_DATE32: "DATE",
}
_TIMESTAMPS: Final = {"us": "TIMESTAMP", "ms": "TIMESTAMP_MS", "ns": "TIMESTAMP_NS"}
_TIMES: Final = {"us": "TIME", "ns": "TIME_NS"}


@dataclasses.dataclass(frozen=True, slots=True)
class SqlColumn:
    """A column that SQL gives back."""

    # What stands in a list after SELECT.
    sql: str
    # The types in polars, one after the other, that the column is cast to. The last is that of the table.
    casts: tuple[Any, ...]


def sql_columns(schema: pa.Schema, dtypes: Mapping[str, pl.DataType]) -> dict[str, SqlColumn]:
    """The columns that SQL gives back.

    Args:
        schema: The table's columns.
        dtypes: Their types in polars.
    """
    # In SQL names that differ in case only are equal, and some can't be written.
    seen: dict[str, int] = {}
    for name in schema.names:
        seen[name.lower()] = seen.get(name.lower(), 0) + 1
    found = {}
    for field in schema:
        name = field.name
        if name and "\0" not in name and seen[name.lower()] == 1:
            column = _column(field, identifier(name), dtypes[name])
            if column is not None:
                found[name] = column
    return found


def _column(field: Any, sql: str, dtype: pl.DataType) -> SqlColumn | None:
    kind = field.type
    if _is_same(field):
        return SqlColumn(sql, (dtype,))
    if _SQL_TYPE in (field.metadata or {}):
        # SQL has the type that the metadata names, and not the one that the Arrow type stands for.
        return None
    if pa.types.is_duration(kind):
        # In SQL they are intervals, which come back as text.
        return SqlColumn(f"epoch_us({sql}) AS {sql}", (pl.Duration("us"), dtype))
    is_text = pa.types.is_dictionary(kind) and _SIMPLE.get(kind.value_type.id) == "VARCHAR"
    is_moment = pa.types.is_timestamp(kind) and kind.tz is not None and kind.unit == "us"
    return SqlColumn(sql, (dtype,)) if is_text or is_moment or pa.types.is_null(kind) else None


def _is_same(field: Any) -> bool:
    """Whether a query gives the column back with the same type in polars, and with the same values."""
    kind = field.type
    if isinstance(kind, pa.BaseExtensionType):
        return False
    parts = children(kind)
    if parts:
        names = [part.name for part in parts]
        is_named = not pa.types.is_struct(kind) or (all(names) and len({name.lower() for name in names}) == len(names))
        return is_named and all(map(_is_same, parts))
    sql_type = _sql_type(kind)
    written = (field.metadata or {}).get(_SQL_TYPE, b"").decode().replace(" ", "")
    return sql_type is not None and written in ("", sql_type.replace(" ", ""))


def _sql_type(kind: Any) -> str | None:
    """The type of SQL that has the same values as an Arrow type, and comes back as that type."""
    if pa.types.is_timestamp(kind) and kind.tz is None:
        return _TIMESTAMPS.get(kind.unit)
    if pa.types.is_time64(kind):
        return _TIMES.get(kind.unit)
    if pa.types.is_decimal(kind) and 0 <= kind.scale <= kind.precision <= 38:
        return f"DECIMAL({kind.precision},{kind.scale})"
    return _SIMPLE.get(kind.id)
