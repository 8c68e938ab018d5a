"""What the rows of a batch take: in a message, and with every value written out."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from polarway._nested import children, values


def has_dictionary(data_type: Any) -> bool:
    """Whether values of this type, at any depth, are numbers of values in a dictionary."""
    return pa.types.is_dictionary(data_type) or any(has_dictionary(field.type) for field in children(data_type))


def sent_bytes(array: Any) -> int:
    """What the rows take in a message, without dictionaries, which are sent once for many messages."""
    if not has_dictionary(array.type):
        return int(array.nbytes)
    if pa.types.is_dictionary(array.type):
        return int(array.indices.nbytes)
    # Eight bytes for where a list ends, or for whether there is one.
    return 8 * len(array) + sum(map(sent_bytes, values(array)))


def plain_bytes(array: Any) -> int:
    """What the rows take if each has its own copy of its value. Only dictionaries make more of them."""
    if not has_dictionary(array.type):
        return int(array.nbytes)
    if not pa.types.is_dictionary(array.type):
        return 8 * len(array) + sum(map(plain_bytes, values(array)))
    own, dictionary = 8 * len(array), array.dictionary
    if len(dictionary) == 0:
        return own
    if not _is_text(dictionary.type):
        return own + len(array) * -(-int(dictionary.nbytes) // len(dictionary))
    lengths = pc.fill_null(pc.binary_length(dictionary), 0).cast(pa.int64())
    return own + int(pc.sum(lengths.take(array.indices)).as_py() or 0)


def _is_text(data_type: Any) -> bool:
    types = pa.types
    return any(
        is_kind(data_type)
        for is_kind in (types.is_string, types.is_large_string, types.is_binary, types.is_large_binary)
    )
