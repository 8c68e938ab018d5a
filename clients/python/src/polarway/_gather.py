"""Makes one table of the chunks of a stream, some of them at a time while others arrive."""

from __future__ import annotations

from typing import Any, Final, Protocol

from polarway._core import Core
from polarway._decode import Rows, Table
from polarway._memory import owner
from polarway._transport import Job

# Chunks are decoded in groups of about this size. A group costs some calls into Arrow and polars, whatever its size.
# But the memory of gRPC's messages is used again for later ones only after it was decoded.
_GROUP_BYTES: Final = 4 << 20
_PLACED_GROUP_BYTES: Final = 32 << 20


class Chunks(Protocol):
    """Chunks that arrive."""

    async def next(self) -> Rows | None:
        """The next chunk; `None` behind the last."""
        ...


async def gathered(core: Core, chunks: Chunks, table: Table) -> Any:
    """The table of all chunks."""
    pieces: list[Any] = []
    decoding: Job[Any] | None = None
    group: list[Rows] = []
    group_bytes = 0

    async def decoded() -> None:
        if decoding is not None:
            pieces.append(await decoding.result())

    while (chunk := await chunks.next()) is not None:
        group.append(chunk)
        group_bytes += len(chunk.ipc)
        is_placed = owner(chunk.ipc) is not None
        if group_bytes < (_PLACED_GROUP_BYTES if is_placed else _GROUP_BYTES):
            continue
        await decoded()
        if is_placed and not table.takes_long:
            # Nothing is copied: two threads would only wait for each other.
            decoding = None
            pieces.append(table.piece(group))
        else:
            decoding = core.transport.start(_decode(table, group))
        group, group_bytes = [], 0
    await decoded()

    def finish() -> Any:
        if group:
            pieces.append(table.piece(group))
        return table.joined(pieces)

    return await core.transport.run(finish)


def _decode(table: Table, group: list[Rows]) -> Any:
    return lambda: table.piece(group)


class Pieces:
    """The rows of a stream as tables, each as soon as its chunk has arrived."""

    def __init__(self, core: Core, chunks: Chunks, table: Table) -> None:
        self._core = core
        self._chunks = chunks
        self._table = table
        # Chunks without rows, which the next piece begins with.
        self._held: list[Rows] = []
        self._is_first = True
        self.is_over = False
        """Whether the last piece has been taken."""

    async def next(self) -> Any:
        """The next table; `None` behind the last. There is one at least: without rows it has the columns."""
        while not self.is_over:
            chunk = await self._chunks.next()
            if chunk is None:
                self.is_over = True
                return await self._piece() if self._is_first else None
            self._held.append(chunk)
            if chunk.rows > 0:
                return await self._piece()
        return None

    async def _piece(self) -> Any:
        chunks, self._held = self._held, []
        self._is_first = False
        return await self._core.transport.run(lambda: self._table.piece(chunks))
