"""Loads tables. A stream that breaks continues at the next row of the version that it was reading."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from polarway import _arguments, _incoming
from polarway._calls import Attempt
from polarway._core import Core
from polarway._datasets import at, checked_name
from polarway._decode import Rows, Table
from polarway._gather import gathered
from polarway._generated import messages, methods
from polarway._incoming import As
from polarway._progress import Watched
from polarway._receive import Receiver
from polarway._transport import CallFailed, Pace
from polarway.errors import InvalidInput, ProtocolError, Unavailable

if TYPE_CHECKING:
    from polarway._resumable import Resumable


@dataclasses.dataclass(frozen=True, slots=True)
class Selection:
    """What to load."""

    name: str
    at: messages.At | None = None
    # By their names, in their order; `None` is all.
    columns: tuple[str, ...] | None = None
    first_row: int = 0
    # The row behind the last one; `None` is the table's end.
    end_row: int | None = None

    @classmethod
    def of(
        cls,
        name: str,
        version: int | None,
        as_of: datetime | None,
        columns: str | Iterable[str] | None,
        rows: range | slice | None,
    ) -> Selection:
        """From the arguments of a load.

        Raises:
            InvalidInput: One of them can't be used.
        """
        checked_name(name)
        named = None if columns is None else _arguments.texts(columns, "name of a column")
        if named == ():
            # On the wire no columns are all.
            raise InvalidInput("a load needs one column at least: name some, or leave the list out for all")
        first_row, end_row = _bounds(rows)
        return cls(name, at(version, as_of), named, first_row, end_row)


def _bounds(rows: range | slice | None) -> tuple[int, int | None]:
    if rows is None:
        return 0, None
    try:
        if isinstance(rows, range | slice) and rows.step in (None, 1):
            end = None if rows.stop is None else _arguments.number(rows.stop, "row")
            return _arguments.number(rows.start or 0, "row"), end
    except InvalidInput:
        pass
    message = f"{_arguments.shown(rows)} are no rows to load: give a range such as range(100, 200), counted from 0"
    raise InvalidInput(message)


class Loading:
    """A load that runs: its chunks one after the other, whatever happens to connections meanwhile."""

    def __init__(self, core: Core, selection: Selection, pace: Pace = Pace.AS_WANTED) -> None:
        self._core = core
        self._pace = pace
        self._selection = selection
        self._call: Any = None
        self._receiver: Receiver[messages.LoadRequest, messages.LoadResponse] | None = None
        self._streams = 0
        self._next_row = selection.first_row
        # The row behind the last, once that is known.
        self._end_row = 0
        self._ready: deque[Rows] = deque()
        self.header: messages.LoadHeader | None = None
        """The version that is read, after `begin`."""

    async def begin(self) -> messages.LoadHeader:
        """Waits until the server has said which version it sends. To begin twice does nothing."""
        if self.header is None:
            self._call = await self._core.call()
            await self._call.run(self._attempt_begin)
        assert self.header is not None  # The attempt set it.
        return self.header

    async def next(self) -> Rows | None:
        """The next chunk; `None` behind the last."""
        await self.begin()
        while not self._ready:
            if not await self._call.run(self._attempt_next):
                return None
        return self._ready.popleft()

    def close(self) -> None:
        """Ends the call, so that the server stops its work."""
        receiver, self._receiver = self._receiver, None
        if receiver is not None:
            receiver.cancel()

    @property
    def selected_rows(self) -> int:
        """The number of rows that come, once the load has begun."""
        return self._end_row - self._selection.first_row

    async def _attempt_begin(self, attempt: Attempt) -> None:
        receiver = self._open(attempt, self._selection.at)
        try:
            while True:
                step = await receiver.next(attempt)
                if step is None or (step.chunk is not None and step.header is None):
                    raise ProtocolError("a load began without its header")
                if step.header is None:
                    attempt.going()
                    continue
                header = step.header
                end_row = self._selection.end_row
                self._end_row = header.rows if end_row is None else min(end_row, header.rows)
                self._take(receiver, step)
                self.header, self._receiver = header, receiver
                attempt.progress()
                return
        except BaseException:
            receiver.cancel()
            raise

    async def _attempt_next(self, attempt: Attempt) -> bool:
        """Takes one message, and tells whether there may be more. It is called when no chunk is ready."""
        receiver, self._receiver = self._receiver, None
        is_resumed = receiver is None
        if receiver is None:
            assert self.header is not None  # Otherwise the load has not begun.
            receiver = self._open(attempt, messages.At(version=self.header.version))
        try:
            step = await receiver.next(attempt)
            if step is None:
                if receiver.next_row != self._end_row:
                    raise ProtocolError(f"the load ended after {receiver.next_row} of {self._end_row} rows")
                return False
            if step.header is not None and step.header != self.header:
                raise self._changed()
            self._take(receiver, step)
        except BaseException as error:
            receiver.cancel()
            if is_resumed and self._is_of_changed_files(error):
                raise self._changed() from None
            raise
        if step.chunk is None and step.header is None:
            attempt.going()
        else:
            attempt.progress()
        self._receiver = receiver
        return True

    def _is_of_changed_files(self, error: BaseException) -> bool:
        """Whether rows or columns are missing that were there when the load began: those of a version don't change."""
        is_adopted = self.header is not None and self.header.version == 0
        reasons = "INVALID_INPUT", "UNKNOWN_COLUMN"
        return is_adopted and isinstance(error, CallFailed) and error.failure.reason in reasons

    def _changed(self) -> Unavailable:
        # Files that Polarway did not write may change between two tries, without a new version.
        name = self._selection.name
        return Unavailable(f"the files of {name!r} changed while they were read: load it again", reason="CHANGED")

    def _take(
        self, receiver: Receiver[messages.LoadRequest, messages.LoadResponse], step: messages.LoadResponse
    ) -> None:
        if step.chunk is None:
            return
        self._ready.append(receiver.rows(step.chunk))
        self._next_row = receiver.next_row
        if receiver.next_row > self._end_row:
            raise ProtocolError(
                "the server sent other rows than were asked for: it is older than this client; upgrade it"
            )

    def _open(
        self, attempt: Attempt, version: messages.At | None
    ) -> Receiver[messages.LoadRequest, messages.LoadResponse]:
        selection = self._selection
        request = messages.LoadRequest(
            name=selection.name,
            at=version,
            first_row=self._next_row,
            columns=list(selection.columns or ()),
            end_row=selection.end_row,
        )
        self._streams += 1
        return Receiver(attempt, methods.LOAD, request, number=self._streams, first_row=self._next_row, pace=self._pace)


async def load(core: Core, selection: Selection, as_: As) -> Any:
    """Loads a table."""
    _incoming.check_form(as_)
    table = Table(as_, selection.columns, core.forms)
    return await whole(core, Loading(core, selection, Pace.AT_ONCE), table, f"loading {selection.name}")


async def whole(core: Core, source: Loading | Resumable, table: Table, doing: str) -> Any:
    """All rows of a load, or of a result that is read through one."""
    try:
        with core.progress(doing) as progress:
            return await gathered(core, Watched(source, progress, lambda: source.selected_rows), table)
    finally:
        source.close()
