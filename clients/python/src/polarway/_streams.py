"""Tables that arrive piece by piece, for both clients."""

from __future__ import annotations

from datetime import datetime
from types import TracebackType
from typing import Any, Self

from polarway import _incoming
from polarway._blocking import drive
from polarway._core import Core
from polarway._decode import Table
from polarway._gather import Pieces
from polarway._generated import messages
from polarway._incoming import As
from polarway._load import Loading, Selection
from polarway._model import QuerySummary, from_us
from polarway._query import Query, Running, running
from polarway._resumable import Hold, Resumable
from polarway.errors import InvalidInput


class _Stream:
    """What all streams are: pieces that come from a load or a query."""

    def __init__(self, core: Core, source: Loading | Running | Resumable, table: Table) -> None:
        self._core = core
        self._source = source
        self._table = table
        self._pieces = Pieces(core, source, table)
        # A handle that must not be dropped before the last piece.
        self._held: object = None
        self._is_closed = False

    async def _rest(self) -> Any:
        rest: list[Any] = []
        while (piece := await self._next()) is not None:
            rest.append(piece)
        return await self._core.transport.run(lambda: self._table.joined(rest))

    async def _next(self) -> Any:
        if self._is_closed and not self._pieces.is_over:
            # An end here would look like that of the rows.
            raise InvalidInput("this stream is closed, or has failed: not all of its rows were taken")
        try:
            return await self._pieces.next()
        except BaseException:
            self._close()
            raise

    def _close(self) -> None:
        self._is_closed = True
        self._source.close()


class _Load(_Stream):
    """A load as a stream."""

    def __init__(self, core: Core, selection: Selection, as_: As) -> None:
        _incoming.check_form(as_)
        self._selection = selection
        self._loading = Loading(core, selection)
        super().__init__(core, self._loading, Table(as_, selection.columns, core.forms))

    async def _begin(self) -> Self:
        await self._loading.begin()
        return self

    def __repr__(self) -> str:
        version = "" if self._loading.header is None else f", version {self._loading.header.version}"
        return f"<{type(self).__name__}: {self._selection.name}{version}>"

    @property
    def version(self) -> int:
        """The version that is read. It does not change while the stream is read."""
        return self._header.version

    @property
    def time(self) -> datetime:
        """When that version was made, in UTC."""
        return from_us(self._header.time_us)

    @property
    def rows(self) -> int:
        """The number of rows of the whole version."""
        return self._header.rows

    @property
    def selected_rows(self) -> int:
        """The number of rows that were asked for, all of which come."""
        return self._loading.selected_rows

    @property
    def _header(self) -> messages.LoadHeader:
        if self._loading.header is None:
            raise InvalidInput("the load has not begun: use `async with`, or take the first piece")
        return self._loading.header


class _Query(_Stream):
    """A query as a stream."""

    def __init__(self, core: Core, query: Query, as_: As, hold: Hold) -> None:
        _incoming.check_form(as_)
        self._query = query
        self._running = running(core, query, hold)
        super().__init__(core, self._running, Table(as_, forms=core.forms))

    async def _begin(self) -> Self:
        await self._running.begin()
        return self

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._query.request.sql}>"

    @property
    def summary(self) -> QuerySummary | None:
        """What the query did: rows, bytes, times, versions. It is known once the last piece has been taken.

        That of a resumable query is known from the start, or never if the answer that said it was lost.
        """
        return self._running.summary


class _Blocking(_Stream):
    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        piece = drive(self._next())
        if piece is None:
            raise StopIteration
        return piece

    def read_all(self) -> Any:
        """One table of the pieces that have not been taken."""
        return drive(self._rest())

    def close(self) -> None:
        """Ends the call, so that the server stops its work. Pieces that were taken stay usable."""
        self._close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class _Async(_Stream):
    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        piece = await self._next()
        if piece is None:
            raise StopAsyncIteration
        return piece

    async def read_all(self) -> Any:
        """See `TableStream.read_all`."""
        return await self._rest()

    async def close(self) -> None:
        """See `TableStream.close`."""
        self._close()

    async def _begin(self) -> Self:
        raise NotImplementedError

    async def __aenter__(self) -> Self:
        return await self._begin()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()


class TableStream(_Load, _Blocking):
    """The rows of a dataset, in their order, as tables that arrive one after the other.

    It is an iterator, and there is one piece at least. The memory of a piece is freed when the user drops it. `with`
    ends the call where a loop is left early.
    """


class AsyncTableStream(_Load, _Async):
    """The rows of a dataset, as `TableStream` has them. It begins with `async with`, or with its first piece."""


class QueryStream(_Query, _Blocking):
    """The rows of a query's result, as tables that arrive while the query makes them.

    It is an iterator, and there is one piece at least. A slow reader makes the query slow, and to close the stream
    stops it.
    """


class AsyncQueryStream(_Query, _Async):
    """The rows of a query's result, as `QueryStream` has them. It begins with `async with`, or with its first piece."""
