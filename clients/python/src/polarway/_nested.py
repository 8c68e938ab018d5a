"""Arrow's types that are made of others, and their arrays: lists, structs and maps."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

import pyarrow as pa
import pyarrow.compute as pc


def children(data_type: Any) -> list[Any]:
    """The fields that a list, a struct or a map is made of; none for other types."""
    if data_type.id not in _MAKERS:
        return []
    if pa.types.is_map(data_type):
        return [data_type.key_field, data_type.item_field]
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


def values(array: Any) -> list[Any]:
    """The arrays that a list, a struct or a map is made of, with the values of its rows and no others.

    Only those of list views may have others between them.
    """
    types = pa.types
    if types.is_struct(array.type):
        return [array.field(index) for index in range(array.type.num_fields)]
    if types.is_fixed_size_list(array.type):
        size = array.type.list_size
        return [array.values.slice(array.offset * size, len(array) * size)]
    if not children(array.type):
        return []
    if types.is_list_view(array.type) or types.is_large_list_view(array.type):
        return [array.flatten()]
    begin, end = array.offsets[0].as_py(), array.offsets[len(array)].as_py()
    inner = [array.keys, array.items] if types.is_map(array.type) else [array.values]
    return [part.slice(begin, end - begin) for part in inner]


def rebuilt(array: Any, wanted: Any, leaf: Callable[[Any, Any], Any]) -> Any:
    """The same values in another type, which is nested in the same way.

    Args:
        array: A `pyarrow.Array`.
        wanted: A list of any kind in place of a list or list view; the same as the array's type where nothing changes.
        leaf: Converts an array that is not made of others.
    """
    if array.type == wanted:
        return array
    if not children(array.type):
        return leaf(array, wanted)
    wanted_types = [field.type for field in children(wanted)]
    parts = [rebuilt(part, part_type, leaf) for part, part_type in zip(values(array), wanted_types, strict=True)]
    return made_of(array, parts, wanted)


def made_of(array: Any, parts: list[Any], wanted: Any) -> Any:
    """An array with the nulls and the lengths of another one, made of these parts in place of its `values`."""
    mask = array.is_null()
    types = pa.types
    if types.is_struct(wanted):
        return pa.StructArray.from_arrays(parts, fields=children(wanted), mask=mask)
    if types.is_fixed_size_list(wanted):
        return pa.FixedSizeListArray.from_arrays(*parts, type=wanted, mask=mask)
    return _list(array, parts, wanted, mask)


def _list(array: Any, parts: list[Any], wanted: Any, mask: Any) -> Any:
    """A list, list view or map with the lengths of another one, and its values one behind the other."""
    if pa.types.is_list_view(array.type) or pa.types.is_large_list_view(array.type):
        # A cast by pyarrow 26 ends with a wrong offset if the last list is null.
        lengths = pc.fill_null(pc.list_value_length(array), 0)
        offsets = pa.concat_arrays([pa.array([0], lengths.type), pc.cumulative_sum(lengths)])
    else:
        offsets = pc.subtract(array.offsets, array.offsets[0])
    makers = {pa.lib.Type_MAP: pa.MapArray, pa.lib.Type_LIST: pa.ListArray, pa.lib.Type_LARGE_LIST: pa.LargeListArray}
    maker = makers.get(wanted.id)
    if maker is not None:
        width = pa.int64() if wanted.id == pa.lib.Type_LARGE_LIST else pa.int32()
        return maker.from_arrays(offsets.cast(width), *parts, type=wanted, mask=mask)
    is_large = pa.types.is_large_list_view(wanted)
    width, view = (pa.int64(), pa.LargeListViewArray) if is_large else (pa.int32(), pa.ListViewArray)
    starts, ends = offsets[:-1].cast(width), offsets[1:].cast(width)
    return view.from_arrays(starts, pc.subtract(ends, starts), *parts, type=wanted, mask=mask)
