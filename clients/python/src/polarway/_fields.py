"""Types of Arrow that are made of others."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa


def children(data_type: Any) -> list[Any]:
    """The fields that a list, a struct or a map is made of; none for other types."""
    if pa.types.is_map(data_type):
        return [data_type.key_field, data_type.item_field]
    if data_type.id not in _MAKERS:
        return []
    return [data_type.field(index) for index in range(data_type.num_fields)]


_MAKERS: Final[Mapping[int, Callable[[Any, list[Any]], Any]]] = {
    pa.lib.Type_LIST: lambda _, fields: pa.list_(*fields),
    pa.lib.Type_LARGE_LIST: lambda _, fields: pa.large_list(*fields),
    pa.lib.Type_LIST_VIEW: lambda _, fields: pa.list_view(*fields),
    pa.lib.Type_LARGE_LIST_VIEW: lambda _, fields: pa.large_list_view(*fields),
    pa.lib.Type_FIXED_SIZE_LIST: lambda old, fields: pa.list_(*fields, old.list_size),
    pa.lib.Type_STRUCT: lambda _, fields: pa.struct(fields),
    pa.lib.Type_MAP: lambda old, fields: pa.map_(*fields, keys_sorted=old.keys_sorted),
}


def with_children(data_type: Any, fields: list[Any]) -> Any:
    """The type, made of other fields."""
    return _MAKERS[data_type.id](data_type, fields)
