"""A line on standard error that says how far a long transfer is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Final, Self, TextIO

if TYPE_CHECKING:
    from polarway._decode import Rows
    from polarway._gather import Chunks

# A transfer that takes less has no line.
_FIRST_S: Final = 1.0
_BETWEEN_S: Final = 0.25


def is_wanted(progress: bool | None) -> bool:
    """Whether to show it: as the user says, and otherwise in notebooks."""
    if progress is not None:
        return progress
    # Somebody who is in a notebook has imported IPython, which takes long.
    shell = getattr(sys.modules.get("IPython"), "get_ipython", lambda: None)()
    return hasattr(shell, "kernel")


class Progress:
    """The line of one transfer. It ends with the `with` block."""

    def __init__(self, doing: str, output: TextIO | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._doing = doing
        self._output = output
        self._clock = clock
        self._began = clock()
        self._next = self._began + _FIRST_S
        self._rows = self._bytes = 0
        self._width = 0
        self.total_rows: int | None = None
        """How many rows will travel, if that is known."""

    def again(self) -> None:
        """The transfer begins again."""
        self._rows = self._bytes = 0

    def advance(self, rows: int, size_bytes: int) -> None:
        """Some rows have travelled."""
        self._rows += rows
        self._bytes += size_bytes
        if self._output is not None and self._clock() >= self._next:
            self._next = self._clock() + _BETWEEN_S
            self._write(self._output, "")

    def _write(self, output: TextIO, end: str) -> None:
        megabytes = self._bytes / 1e6
        rows = f"{self._rows:,} rows"
        if self.total_rows:
            rows = f"{self._rows / self.total_rows:.0%} of {self.total_rows:,} rows"
        rate = megabytes / max(self._clock() - self._began, 1e-9)
        line = f"{self._doing}: {rows}, {megabytes:,.0f} MB, {rate:,.0f} MB/s"
        # Spaces replace the rest of a longer line.
        output.write(f"\r{line:<{self._width}}{end}")
        output.flush()
        self._width = len(line)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._output is not None and self._width:
            self._write(self._output, "\n")


class Watched:
    """Chunks whose arrival a line shows."""

    def __init__(self, chunks: Chunks, progress: Progress, total_rows: Callable[[], int | None] = lambda: None) -> None:
        self._chunks = chunks
        self._progress = progress
        self._total_rows = total_rows

    async def next(self) -> Rows | None:
        """The next chunk; `None` behind the last."""
        chunk = await self._chunks.next()
        if chunk is not None:
            self._progress.total_rows = self._total_rows()
            self._progress.advance(chunk.rows, len(chunk.ipc))
        return chunk
