"""What only newer versions of polars have: with the oldest one that the client takes, the tests leave it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import polars as pl

T = TypeVar("T")


def with_(name: str, make: Callable[[], list[T]]) -> list[T]:
    """What needs this name of polars, if it has it; otherwise nothing."""
    return make() if hasattr(pl, name) else []
