"""The values of a query's parameters: sent apart from its text, with their types, and never read as SQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pyarrow as pa

from polarway import _arguments
from polarway.errors import InvalidInput


def encoded(parameters: Sequence[Any] | Mapping[str, Any] | None) -> bytes:
    """The values as they are sent: an Arrow IPC stream of one row, or nothing.

    Raises:
        InvalidInput: A value has no type of Arrow's. The text names its parameter.
    """
    if parameters is None:
        return b""
    if isinstance(parameters, str | bytes) or not isinstance(parameters, Sequence | Mapping):
        message = (
            f"{_arguments.shown(parameters)} are no parameters: give a list for `?` and `$1`, or a dict for `$name`"
        )
        raise InvalidInput(message)
    if isinstance(parameters, Mapping):
        values = dict(parameters)
    else:
        values = {str(position): value for position, value in enumerate(parameters, 1)}
    if not values:
        return b""
    columns = {_name(name): _column(name, value) for name, value in values.items()}
    batch = pa.record_batch(list(columns.values()), names=list(columns))
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    content: bytes = sink.getvalue().to_pybytes()
    return content


def _name(name: object) -> str:
    if not isinstance(name, str):
        raise InvalidInput(f"{name!r} is no name of a parameter: give a text")
    try:
        name.encode()
    except UnicodeEncodeError:
        raise InvalidInput(f"{name!r} is no name of a parameter: it is not valid Unicode") from None
    return name


def _column(name: object, value: Any) -> Any:
    if isinstance(value, pa.Array):
        # For types that Python lacks.
        if len(value) != 1:
            raise InvalidInput(f"the parameter {name!r} is an array of {len(value)} values: give one")
        return value
    try:
        return pa.array([value])
    except (pa.ArrowException, OverflowError, ValueError, TypeError) as error:
        raise InvalidInput(f"the parameter {name!r} can't be sent: {error}") from None
