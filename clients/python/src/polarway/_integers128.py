"""Integers of 128 bits, which polars has and Arrow lacks: they travel as decimals that remember what they were.

They are `decimal128(38, 0)`, which SQL can read, if no value of the column has 39 digits. Otherwise they are
`decimal256(39, 0)`. The metadata of the field, at any depth, has the type's name, so that a load restores it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import polars as pl
import pyarrow as pa

from polarway._dtypes import first_in, parts, replaced, with_parts
from polarway._nested import children, with_children

_KEY: Final = b"polarway.polars.type"

# By what they are called in the metadata.
_INTEGERS: Final[Mapping[bytes, Any]] = {b"Int128": pl.Int128, b"UInt128": pl.UInt128}


def holds(dtype: Any) -> bool:
    """Whether the type is one of them, or made of one."""
    return first_in(dtype, _is_integer128, "") is not None


def as_decimals(column: pl.Series) -> pl.Series:
    """The column with decimals in place of its integers, or with texts if a value has too many digits for polars."""
    try:
        return column.cast(replaced(column.dtype, lambda leaf: pl.Decimal(38, 0) if _is_integer128(leaf) else leaf))
    except pl.exceptions.InvalidOperationError:
        return column.cast(replaced(column.dtype, lambda leaf: pl.String() if _is_integer128(leaf) else leaf))


def decimal_field(field: Any, dtype: Any) -> Any:
    """The Arrow field of a column of this type, from the field that Arrow has for what `as_decimals` returned."""
    if _is_integer128(dtype):
        is_narrow = pa.types.is_decimal(field.type)
        name = next(name for name, integer in _INTEGERS.items() if dtype == integer)
        field = field.with_type(field.type if is_narrow else pa.decimal256(39, 0))
        return field.with_metadata({**(field.metadata or {}), _KEY: name})
    dtypes = [part for _, part in parts(dtype)]
    fields = children(field.type)
    if not dtypes or not fields:
        return field
    fields = [decimal_field(child, part) for child, part in zip(fields, dtypes, strict=True)]
    return field.with_type(with_children(field.type, fields))


def is_marked(field: Any) -> bool:
    """Whether an Arrow field, or one in it, was one of these integers."""
    return _KEY in (field.metadata or {}) or any(map(is_marked, children(field.type)))


def restored(dtype: Any, field: Any) -> Any:
    """The polars type that the column was stored with, where `dtype` is what polars makes of the Arrow field."""
    integer = _INTEGERS.get((field.metadata or {}).get(_KEY, b""))
    if integer is not None and (isinstance(dtype, pl.Decimal) or dtype == pl.String):
        return integer()
    fields = children(field.type)
    dtypes = [part for _, part in parts(dtype)]
    if not fields or len(dtypes) != len(fields):
        return dtype
    return with_parts(dtype, [restored(part, child) for part, child in zip(dtypes, fields, strict=True)])


def _is_integer128(dtype: Any) -> bool:
    return any(dtype == integer for integer in _INTEGERS.values())
