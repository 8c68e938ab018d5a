"""Queries whose result is read through a handle, so that a read continues after a broken connection."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from polarway import _handles
from polarway._core import Core
from polarway._decode import Rows
from polarway._handles import HandleInfo
from polarway._load import Loading, Selection
from polarway._model import QuerySummary

if TYPE_CHECKING:
    from polarway._query import Query

Hold = Callable[[HandleInfo], object]
"""Makes an object whose handle is dropped on the server when nobody has the object any more."""


class Resumable:
    """A result that the server keeps: its chunks one after the other, whatever happens to connections meanwhile."""

    def __init__(self, core: Core, query: Query, hold: Hold) -> None:
        self._core = core
        self._query = query
        self._hold = hold
        self._held: object = None
        self._loading: Loading | None = None
        self.summary: QuerySummary | None = None
        """What the query did, after `begin`; `None` if the answer that said it was lost."""

    async def begin(self) -> None:
        """Waits until the query has run. To begin twice does nothing."""
        await (await self._begun()).begin()

    async def next(self) -> Rows | None:
        """The next chunk; `None` behind the last."""
        chunk = await (await self._begun()).next()
        if chunk is None:
            self.close()
        return chunk

    def close(self) -> None:
        """Ends the read, and lets the result be dropped."""
        self._held = None
        if self._loading is not None:
            self._loading.close()

    @property
    def selected_rows(self) -> int | None:
        """The number of rows of the result, once it is there."""
        return None if self._loading is None else self._loading.selected_rows

    async def _begun(self) -> Loading:
        if self._loading is None:
            info, self.summary = await _handles.create(self._core, self._query, None)
            self._held = self._hold(info)
            self._loading = Loading(self._core, Selection(info.id))
        return self._loading
