"""The values of an Arrow table in a form in which tables of different readers can be compared.

What readers may well do differently is levelled: the width of integers, the unit of a time, text or bytes, a map or a list of its
entries. Digits, nulls, the bits of floats and the order of rows are not.
"""

import re
import struct
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

NANOSECONDS = {"s": 10**9, "ms": 10**6, "us": 10**3, "ns": 1}
UUID = re.compile(r"^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$")


def columns(table):
    """The names and values of all columns."""
    return [
        (name, [value for chunk in column.chunks for value in values(chunk)])
        for name, column in zip(table.column_names, table.columns)
    ]


def values(array):
    """The values of an array, one after the other."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return values(array.storage)
    if pa.types.is_dictionary(kind):
        return values(array.dictionary_decode())
    if pa.types.is_run_end_encoded(kind):
        return values(pc.run_end_decode(array))
    if pa.types.is_struct(kind):
        return of_struct(array)
    if pa.types.is_map(kind):
        entries = list(zip(values(array.keys), values(array.items)))
        return of_list(array, entries)
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        return of_list(array, values(array.values))
    if pa.types.is_nested(kind):
        return [each.as_py() if not hasattr(each, "values") else of_scalar(each) for each in array]
    return [None if value is None else plain(kind, value) for value in raw(array)]


def raw(array):
    """Plain values as Python's, times as the integers behind them."""
    kind = array.type
    if pa.types.is_timestamp(kind) or pa.types.is_time64(kind) or pa.types.is_duration(kind) or pa.types.is_date64(kind):
        return array.view(pa.int64()).to_pylist()
    if pa.types.is_date32(kind) or pa.types.is_time32(kind):
        return array.view(pa.int32()).to_pylist()
    return array.to_pylist()


def plain(kind, value):
    if pa.types.is_timestamp(kind) or pa.types.is_time(kind) or pa.types.is_duration(kind):
        return ("time", value * NANOSECONDS[kind.unit])
    if pa.types.is_date32(kind):
        return ("time", value * 86_400 * 10**9)
    if pa.types.is_date64(kind):
        return ("time", value * 10**6)
    if isinstance(value, bool):
        return value
    if isinstance(value, (int, Decimal)):
        return number(value)
    if isinstance(value, float):
        return ("float", "NaN" if value != value else struct.pack("<d", value).hex())
    if isinstance(value, str):
        return bytes.fromhex(value.replace("-", "")) if UUID.match(value) else value.encode()
    return value


def number(value):
    value = Decimal(value)
    return ("number", str(int(value)) if value == value.to_integral_value() else str(value.normalize()))


def of_scalar(scalar):
    return None if not scalar.is_valid else tuple(values(scalar.values))


def of_list(array, items):
    offsets = array.offsets.to_pylist()
    valid = array.is_valid().to_pylist()
    return [
        tuple(items[start:end]) if is_valid else None
        for start, end, is_valid in zip(offsets, offsets[1:], valid)
    ]


def of_struct(array):
    valid = array.is_valid().to_pylist()
    fields = [values(field) for field in array.flatten()]
    rows = zip(*fields) if fields else [()] * len(array)
    return [row if is_valid else None for row, is_valid in zip(rows, valid)]
