"""The tables of the scenarios, made of what `proto/cases/README.md` describes."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

PLAIN = {
    "bool": pa.bool_(),
    "utf8": pa.string(),
    "large_utf8": pa.large_string(),
    "utf8_view": pa.string_view(),
    "binary": pa.binary(),
    "large_binary": pa.large_binary(),
    "date32": pa.date32(),
    "float32": pa.float32(),
    "float64": pa.float64(),
}


def built(spec: dict[str, Any]) -> pa.Table:
    """The table that is described."""
    (form, content), *others = spec.items()
    assert not others
    if form == "generated":
        assert content.keys() == {"rows", "columns"}
        rows = range(content["rows"])
        fields = [pa.field(f"c{column}", pa.int64(), nullable=False) for column in range(content["columns"])]
        values = [
            pa.array([(row * 2_654_435_761 + column * 40_503) % 4_294_967_296 for row in rows], pa.int64())
            for column in range(content["columns"])
        ]
        return pa.table(values, schema=pa.schema(fields))
    assert form == "columns"
    fields, columns = [], []
    for column in content:
        assert column.keys() <= {"name", "type", "values", "nullable"}
        type_ = type_of(column["type"])
        fields.append(pa.field(column["name"], type_, nullable=column.get("nullable", True)))
        columns.append(array(type_, column["values"]))
    return pa.table(columns, schema=pa.schema(fields))


def type_of(spec: Any) -> Any:
    """The type of this name or description."""
    if isinstance(spec, str):
        return plain(spec)
    ((kind, of),) = spec.items()
    if kind == "list":
        return pa.list_(item(of))
    if kind == "fixed_size_list":
        return pa.list_(item(of["items"]), of["size"])
    if kind == "struct":
        return pa.struct([pa.field(field["name"], type_of(field["type"])) for field in of])
    if kind == "map":
        return pa.map_(type_of(of["keys"]), type_of(of["values"]))
    assert kind == "dictionary"
    return pa.dictionary(type_of(of["keys"]), type_of(of["values"]))


def item(spec: Any) -> Any:
    """The field of a list's items."""
    return pa.field("item", type_of(spec))


def plain(name: str) -> Any:
    """The type of this name, which may have numbers in parentheses or a unit in brackets behind it."""
    if name in PLAIN:
        return PLAIN[name]
    match = re.fullmatch(r"(\w+?)(?:[(\[](.*)[)\]])?", name)
    assert match is not None
    kind, details = match[1], (match[2] or "").split(", ")
    if kind in ("decimal128", "decimal256", "fixed_size_binary"):
        make = pa.binary if kind == "fixed_size_binary" else getattr(pa, kind)
        return make(*map(int, details))
    if kind == "timestamp":
        return pa.timestamp(*details)
    return getattr(pa, kind)(*filter(None, details))


def array(type_: Any, values: list[Any]) -> Any:
    """An array of these values."""
    if pa.types.is_dictionary(type_):
        return pc.cast(array(type_.value_type, values).dictionary_encode(), type_)
    return pa.array([value_of(type_, value) for value in values], type_)


def value_of(type_: Any, value: Any) -> Any:
    """A value, as pyarrow takes one of this type."""
    if value is None:
        return None
    for is_of, convert in CONVERSIONS:
        if is_of(type_):
            return convert(type_, value)
    return value


CONVERSIONS: list[tuple[Callable[[Any], bool], Callable[[Any, Any], Any]]] = [
    (pa.types.is_struct, lambda t, value: {field.name: value_of(field.type, value.get(field.name)) for field in t}),
    (pa.types.is_map, lambda t, value: [(value_of(t.key_type, key), value_of(t.item_type, of)) for key, of in value]),
    (pa.types.is_list, lambda t, value: [value_of(t.value_type, one) for one in value]),
    (pa.types.is_fixed_size_list, lambda t, value: [value_of(t.value_type, one) for one in value]),
    (pa.types.is_dictionary, lambda t, value: value_of(t.value_type, value)),
    (pa.types.is_floating, lambda _, value: float(value)),
    (pa.types.is_integer, lambda _, value: int(value)),
    (pa.types.is_duration, lambda _, value: int(value)),
    (pa.types.is_decimal, lambda _, value: Decimal(value)),
    (pa.types.is_binary, lambda _, value: bytes.fromhex(value)),
    (pa.types.is_large_binary, lambda _, value: bytes.fromhex(value)),
    (pa.types.is_fixed_size_binary, lambda _, value: bytes.fromhex(value)),
    (pa.types.is_time, lambda _, value: datetime.time.fromisoformat(value)),
    (pa.types.is_temporal, lambda t, value: pa.scalar(value).cast(t)),
]


def difference(expected: pa.Table, found: pa.Table, *, is_query: bool) -> str | None:
    """How a table is not as expected. Every column of a query may have nulls."""
    for field, other in zip(expected.schema, found.schema, strict=False):
        same = (field.name, field.type) == (other.name, other.type)
        if not same or not (is_query or field.nullable == other.nullable):
            return f"{other} and not {field}"
    if expected.shape != found.shape:
        return f"{found.shape} and not {expected.shape}"
    for name, column, other in zip(expected.column_names, expected.columns, found.columns, strict=True):
        if not column.equals(other) and repr(column.to_pylist()) != repr(other.to_pylist()):
            return f"column {name!r}: {other.slice(0, 10)} and not {column.slice(0, 10)}"
    return None
