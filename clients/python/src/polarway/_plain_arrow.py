"""Arrow's types that polars lacks, and what is made of them.

| Arrow | polars |
|---|---|
| decimals of 256 bits | `Decimal` if the type has at most 38 digits, otherwise text |
| list views | `List` |
| intervals | text as in SQL: `1 year 2 months 3 days 04:05:06` |
| runs | plain values |
| timestamps in a zone that polars does not know, such as `+05:30` | the same instants in UTC |
| structs with fields of one name | the later ones get a number, as columns do |
"""

from __future__ import annotations

from typing import Any, Final

import polars as pl
import pyarrow as pa
import pyarrow.compute as pc

from polarway._names import distinct
from polarway._nested import children, rebuilt, with_children

_DIGITS_OF_POLARS: Final = 38

# Types that polars has. Most columns have one of these, and a small load must not take long over them.
_COMMON: Final = frozenset(
    getattr(pa.lib, f"Type_{name}")
    for name in (
        *("BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64", "FLOAT", "DOUBLE"),
        *("STRING", "LARGE_STRING", "BINARY", "LARGE_BINARY", "DATE32", "TIME64", "DURATION", "DECIMAL128"),
    )
)


def plain_type(data_type: Any) -> Any:
    """The type that polars gets instead of this one; the same if polars has it."""
    if data_type.id in _COMMON:
        return data_type
    types = pa.types
    if types.is_decimal256(data_type):
        is_small = data_type.precision <= _DIGITS_OF_POLARS
        return pa.decimal128(data_type.precision, data_type.scale) if is_small else pa.large_string()
    if types.is_interval(data_type):
        return pa.large_string()
    if types.is_timestamp(data_type):
        zone = data_type.tz
        return pa.timestamp(data_type.unit, "UTC") if zone and not _is_zone(zone) else data_type
    if types.is_dictionary(data_type) or types.is_run_end_encoded(data_type):
        plain = plain_type(data_type.value_type)
        is_same = types.is_dictionary(data_type) and plain == data_type.value_type
        return data_type if is_same else plain
    return _plain_nested(data_type)


def _plain_nested(data_type: Any) -> Any:
    fields = children(data_type)
    new = [field.with_type(plain_type(field.type)) for field in fields]
    if pa.types.is_list_view(data_type) or pa.types.is_large_list_view(data_type):
        return pa.large_list(new[0])
    if pa.types.is_struct(data_type):
        names = [field.name for field in fields]
        if len(set(names)) < len(names):
            new = [field.with_name(name) for field, name in zip(new, distinct(names), strict=True)]
    return data_type if new == fields else with_children(data_type, new)


def _is_zone(zone: str) -> bool:
    try:
        pl.Series([], dtype=pl.Datetime("us", zone))
    except pl.exceptions.ComputeError:
        return False
    return True


def as_plain(array: Any, wanted: Any) -> Any:
    """The values of a `pyarrow.Array` in the type that `plain_type` gave for its own."""
    return rebuilt(array, wanted, _plain_leaf)


def _plain_leaf(array: Any, wanted: Any) -> Any:
    types = pa.types
    if types.is_dictionary(array.type):
        return as_plain(array.dictionary_decode(), wanted)
    if types.is_run_end_encoded(array.type):
        return as_plain(pc.run_end_decode(array), wanted)
    if types.is_interval(array.type):
        return pa.array([None if value is None else _interval_text(value) for value in array.to_pylist()], wanted)
    return array.cast(wanted)


def _interval_text(interval: Any) -> str:
    """An interval as DuckDB writes it."""
    years, months = divmod(abs(interval.months), 12)
    sign = -1 if interval.months < 0 else 1
    counts = (("year", sign * years), ("month", sign * months), ("day", interval.days))
    texts = [f"{count} {unit}{'' if abs(count) == 1 else 's'}" for unit, count in counts if count]
    if interval.nanoseconds or not texts:
        seconds, nanoseconds = divmod(abs(interval.nanoseconds), 1_000_000_000)
        fraction = f".{nanoseconds:09}".rstrip("0").rstrip(".")
        minutes, seconds = divmod(seconds, 60)
        hours, minutes = divmod(minutes, 60)
        sign_text = "-" if interval.nanoseconds < 0 else ""
        texts.append(f"{sign_text}{hours:02}:{minutes:02}:{seconds:02}{fraction}")
    return " ".join(texts)
