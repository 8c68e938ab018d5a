"""The same messages by a real protobuf library: random ones, and what they are as ours."""

from __future__ import annotations

import functools
import math
from pathlib import Path
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from hypothesis import strategies as st

from polarway import _wire
from polarway._generated import messages

DESCRIPTORS = descriptor_pb2.FileDescriptorSet.FromString(
    (Path(__file__).parent / "generated" / "descriptors.bin").read_bytes()
)
# A pool of its own: the library's own one has some of these already, and may have them in another version.
POOL = descriptor_pool.DescriptorPool()
for _file in DESCRIPTORS.file:
    POOL.Add(_file)

NAMES = [f"{file.package}.{message.name}" for file in DESCRIPTORS.file for message in file.message_type]


def real_class(full_name: str) -> Any:
    """The library's class for a message."""
    return message_factory.GetMessageClass(POOL.FindMessageTypeByName(full_name))


def class_of(real: Any) -> type[_wire.Message]:
    """Our class for a message of the library."""
    return our_class(real.DESCRIPTOR.full_name)


def our_class(full_name: str) -> type[_wire.Message]:
    """Our class for a message."""
    kind: type[_wire.Message] = getattr(messages, full_name.rpartition(".")[2])
    return kind


def _is_repeated(field: Any) -> bool:
    return bool(field.is_repeated)


def _is_map(field: Any) -> bool:
    return field.message_type is not None and bool(field.message_type.GetOptions().map_entry)


def _values(field: Any) -> st.SearchStrategy[Any]:
    numbers = {
        field.TYPE_INT32: (-(2**31), 2**31 - 1),
        # Numbers that no enum of ours has are among them.
        field.TYPE_ENUM: (-3, 12),
        field.TYPE_INT64: (-(2**63), 2**63 - 1),
        field.TYPE_UINT32: (0, 2**32 - 1),
        field.TYPE_UINT64: (0, 2**64 - 1),
        field.TYPE_FIXED32: (0, 2**32 - 1),
    }
    if field.type in numbers:
        return st.integers(*numbers[field.type])
    if field.type == field.TYPE_MESSAGE:
        return random_message(field.message_type.full_name)
    others = {
        field.TYPE_STRING: st.text(max_size=40),
        field.TYPE_BYTES: st.binary(max_size=200),
        field.TYPE_BOOL: st.booleans(),
        field.TYPE_DOUBLE: st.floats(),
    }
    return others[field.type]


@functools.cache
def random_message(full_name: str) -> st.SearchStrategy[Any]:
    """Messages of the library, each with some of its fields set."""
    descriptor = POOL.FindMessageTypeByName(full_name)
    fields: dict[str, st.SearchStrategy[Any]] = {}
    for field in descriptor.fields:
        values: st.SearchStrategy[Any]
        if _is_map(field):
            values = st.dictionaries(st.text(max_size=10), st.text(max_size=10), max_size=4)
        elif _is_repeated(field):
            values = st.lists(_values(field), max_size=4)
        else:
            values = _values(field)
        fields[field.name] = values
    # What comes later in a oneof takes the place of what came before.
    return st.fixed_dictionaries({}, optional=fields).map(lambda given: real_class(full_name)(**given))


def as_ours(real: Any) -> _wire.Message:
    """A message of the library as ours."""
    given: dict[str, Any] = {}
    for field in real.DESCRIPTOR.fields:
        value = getattr(real, field.name)
        if _is_map(field):
            given[field.name] = dict(value)
        elif _is_repeated(field):
            given[field.name] = [as_ours(item) if field.message_type is not None else item for item in value]
        elif field.has_presence and not real.HasField(field.name):
            given[field.name] = None
        elif field.message_type is not None:
            given[field.name] = as_ours(value)
        else:
            given[field.name] = value
    return class_of(real)(**given)


def random_messages() -> st.SearchStrategy[Any]:
    """Messages of all types."""
    return st.sampled_from(NAMES).flatmap(random_message)


def is_nan_inside(message: _wire.Message) -> bool:
    """Whether a number in the message is NaN, which equals nothing."""
    values = [getattr(message, field.name) for field in message.FIELDS]
    return any(isinstance(value, float) and math.isnan(value) for value in values)
