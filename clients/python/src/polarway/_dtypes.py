"""Types of polars that are made of others: lists, arrays, structs, maps and extensions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import polars as pl


def parts(dtype: Any) -> Iterator[tuple[str, Any]]:
    """The types that a type is made of, each with what comes behind the column's name to name it."""
    if isinstance(dtype, pl.List | pl.Array):
        yield "[]", dtype.inner
    elif isinstance(dtype, pl.Struct):
        for field in dtype.fields:
            yield f".{field.name}", field.dtype
    elif isinstance(dtype, pl.Map):
        yield ".key", dtype.key
        yield ".value", dtype.value
    elif isinstance(dtype, pl.BaseExtension):
        yield "", dtype.ext_storage()


def with_parts(dtype: Any, new: Sequence[Any]) -> Any:
    """The type, made of other types; an extension stays as it is."""
    if isinstance(dtype, pl.List):
        return pl.List(new[0])
    if isinstance(dtype, pl.Array):
        return pl.Array(new[0], dtype.size)
    if isinstance(dtype, pl.Struct):
        return pl.Struct({field.name: part for field, part in zip(dtype.fields, new, strict=True)})
    if isinstance(dtype, pl.Map):
        return pl.Map(*new)
    return dtype


def replaced(dtype: Any, leaf: Callable[[Any], Any]) -> Any:
    """The type with each type in it replaced that is not made of others."""
    of = [replaced(part, leaf) for _, part in parts(dtype)]
    return with_parts(dtype, of) if of else leaf(dtype)


def first_in(dtype: Any, is_wanted: Callable[[Any], bool], path: str) -> tuple[str, Any] | None:
    """The first type for which this is true, and its path, which begins with the column's."""
    if is_wanted(dtype):
        return path, dtype
    found = (first_in(part, is_wanted, path + label) for label, part in parts(dtype))
    return next((result for result in found if result is not None), None)
