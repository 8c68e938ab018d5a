"""Checks what users give before anything is sent, so that a message names it as the user does."""

from __future__ import annotations

import contextlib
import math
import operator
from collections.abc import Iterable
from datetime import timedelta
from typing import Final, SupportsFloat, SupportsIndex, cast

from polarway.errors import InvalidInput

# How much of a value a message shows.
_SHOWN_CHARACTERS: Final = 60

# The largest whole number of the protocol.
_MOST: Final = 2**64 - 1


def shown(value: object) -> str:
    """A value for a message of one line. A table, for example, is shown as its type."""
    text = repr(value)
    return text if len(text) <= _SHOWN_CHARACTERS and "\n" not in text else f"a {type(value).__qualname__}"


def text(value: object, what: str) -> str:
    """A text.

    Args:
        value: What the user gave.
        what: What it should be: "name of a dataset".

    Raises:
        InvalidInput: It is not a text.
    """
    if not isinstance(value, str):
        raise InvalidInput(f"{shown(value)} is no {what}: give a text")
    return value


def texts(value: object, what: str) -> tuple[str, ...]:
    """One text or several.

    Raises:
        InvalidInput: It is something else, or one of them is.
    """
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, Iterable):
        raise InvalidInput(f"{shown(value)} is no {what}: give a text, or a list of texts")
    return tuple(text(one, what) for one in value)


def number(value: object, what: str) -> int:
    """A whole number from 0 on.

    Raises:
        InvalidInput: It is not one, or is larger than the protocol's numbers.
    """
    try:
        # Integers of numpy have an index, too. So has a bool, which is not a number here.
        found = -1 if isinstance(value, bool) else operator.index(cast(SupportsIndex, value))
    except TypeError:
        found = -1
    if not 0 <= found <= _MOST:
        raise InvalidInput(f"{shown(value)} is no {what}: give a whole number, 0 or more")
    return found


def seconds(value: object, what: str) -> float:
    """A time in seconds, more than 0.

    Raises:
        InvalidInput: It is not one.
    """
    found = math.nan
    if isinstance(value, timedelta):
        found = value.total_seconds()
    elif not isinstance(value, str | bytes | bool):
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            found = float(cast(SupportsFloat, value))
    if not 0 < found < math.inf:
        raise InvalidInput(f"{shown(value)} is no {what}: give seconds, or a timedelta")
    return found
