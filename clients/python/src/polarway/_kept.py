"""What the handles of both clients have in common: what they are, to whom they belong, and how they are shown."""

from __future__ import annotations

import html
import weakref
from datetime import datetime, timedelta
from typing import Any, Self

import polars as pl
import pyarrow as pa

from polarway._handles import HandleInfo
from polarway._steps import Source, Steps


class Kept:
    """A handle without the methods that make calls."""

    def __init__(self, info: HandleInfo, dropping: weakref.finalize[Any, Any] | None) -> None:
        self._info = info
        # What drops the server's handle with this object; `None` if it belongs to somebody else.
        self._dropping = dropping

    @property
    def id(self) -> str:
        """Its id, which is its name in SQL and for `load`. Whoever knows it may use the handle."""
        return self._info.id

    @property
    def arrow_schema(self) -> pa.Schema:
        """Its columns, as Arrow has them."""
        return self._info.arrow_schema

    @property
    def schema(self) -> pl.Schema:
        """Its columns, as polars has them."""
        return self._info.schema

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return self._info.columns

    @property
    def rows(self) -> int:
        """Its rows."""
        return self._info.rows

    @property
    def bytes(self) -> int:
        """About the size of its rows in memory as Arrow, in bytes."""
        return self._info.bytes

    @property
    def created(self) -> datetime:
        """When it was made, in UTC."""
        return self._info.created

    @property
    def expires(self) -> datetime:
        """When it expires unless it is used before, in UTC, as the server last said. Each use since has extended it."""
        return self._info.expires

    @property
    def ttl(self) -> timedelta:
        """How long it is kept without being used."""
        return self._info.ttl

    @property
    def info(self) -> HandleInfo:
        """Its description."""
        return self._info

    def keep(self) -> None:
        """Keeps the server's handle until it expires, also when this object is gone."""
        if self._dropping is not None:
            self._dropping.detach()
            self._dropping = None

    @property
    def _is_ours(self) -> bool:
        return self._dropping is not None

    def _steps(self) -> Steps:
        return Steps.of_handle(self.id, self.columns, self)

    def _source(self) -> Source:
        return Source.handle(self.id, self.columns, self)

    def __len__(self) -> int:
        return self.rows

    def __bool__(self) -> bool:
        return True

    def __copy__(self) -> Self:
        # The server has one handle, and it never changes.
        return self

    def __deepcopy__(self, memo: Any) -> Self:
        return self

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.id!r}, rows={self.rows}, columns={self.columns!r})"

    def _as_html(self, below: str) -> str:
        rows, columns = f"{self.rows:,} rows", f"{len(self.columns):,} columns"
        head = f"<b>{type(self).__name__}</b> <code>{html.escape(self.id)}</code>: {rows}, {columns}"
        return f"<div>{head}{below}</div>"

    def _schema_as_html(self) -> str:
        cells = "".join(
            f"<tr><td>{html.escape(name)}</td><td>{html.escape(str(dtype))}</td></tr>"
            for name, dtype in self.schema.items()
        )
        return f"<table><thead><tr><th>column</th><th>type</th></tr></thead><tbody>{cells}</tbody></table>"
