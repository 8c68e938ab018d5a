"""What a client knows of the schemas that it has seen. Finding it out takes as long as the rest of a small load."""

from __future__ import annotations

import dataclasses
from typing import Any, Final

import pyarrow as pa

from polarway import _incoming
from polarway._incoming import As

# So many schemas are remembered, if their messages have at most so many bytes.
_MOST_KNOWN: Final = 64
_MOST_BYTES: Final = 64 << 10

# A message begins with a mark and the size of what comes next, of 4 bytes each.
_HEAD_BYTES: Final = 8


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """How the batches of a schema become tables. It does not change, and any number of loads may use it."""

    schema: Any
    has_dictionaries: bool
    incoming: _incoming.Incoming

    @classmethod
    def of(cls, as_: As, schema: Any) -> Form:
        """The form for this schema."""
        return cls(schema, any(map(_needs_dictionaries, schema.types)), _incoming.incoming(as_, schema))


def _needs_dictionaries(data_type: Any) -> bool:
    """Whether values of this type, at any depth, refer to dictionaries that came in messages before."""
    if isinstance(data_type, pa.BaseExtensionType):
        return _needs_dictionaries(data_type.storage_type)
    fields = map(data_type.field, range(data_type.num_fields))
    return pa.types.is_dictionary(data_type) or any(_needs_dictionaries(field.type) for field in fields)


class Forms:
    """The forms that a client knows, by what users want and by the message that a schema is."""

    def __init__(self) -> None:
        self._known: dict[tuple[As, bytes], Form] = {}

    @property
    def count(self) -> int:
        """How many it knows."""
        return len(self._known)

    def of(self, as_: As, ipc: Any) -> Form:
        """The form for an Arrow IPC stream, of which this buffer is the beginning.

        Raises:
            pyarrow.ArrowException, OSError: It does not begin with a schema.
        """
        size = _HEAD_BYTES + int.from_bytes(ipc.slice(_HEAD_BYTES // 2, _HEAD_BYTES // 2).to_pybytes(), "little")
        if size > min(_MOST_BYTES, ipc.size):
            return Form.of(as_, pa.ipc.read_schema(ipc))
        key = as_, ipc.slice(0, size).to_pybytes()
        form = self._known.get(key)
        if form is None:
            form = Form.of(as_, pa.ipc.read_schema(ipc))
            if len(self._known) >= _MOST_KNOWN:
                self._known.clear()
            self._known[key] = form
        return form
