"""Makes tables of chunks. Nothing here does I/O, and all of it may take long: it belongs on a thread of its own."""

from __future__ import annotations

import dataclasses
from collections import deque
from collections.abc import Sequence
from typing import Any, Final

import pyarrow as pa

from polarway._forms import Form, Forms
from polarway._incoming import As
from polarway._memory import ALIGNMENT, owner
from polarway._wire import Bytes
from polarway.errors import ProtocolError

END_MARK: Final = b"\xff\xff\xff\xff\x00\x00\x00\x00"
"""The end of an Arrow IPC stream. Only this shows that a table is complete: a proxy may end a call too early."""

# To copy fewer bytes takes less time than to make what copies them.
_LARGE_BYTES: Final = 64 << 10

# What Arrow calls a message with rows.
_BATCH: Final = "record batch"


@dataclasses.dataclass(frozen=True, slots=True)
class Rows:
    """A chunk that has arrived."""

    # Which stream it came with: the next one after a break begins again with the schema.
    stream: int
    # A view into gRPC's message, perhaps.
    ipc: Bytes
    rows: int


class Table:
    """Takes the chunks of one table, in their order, and gives its rows in the form that the user wants."""

    def __init__(self, as_: As, columns: Sequence[str] | None = None, forms: Forms | None = None) -> None:
        self._as = as_
        # Those that were asked for; `None` is all.
        self._columns = columns
        self._forms = forms or Forms()
        self._stream = 0
        self._decoder: _Decoder | None = None
        self._form: Form | None = None

    def piece(self, chunks: Sequence[Rows]) -> Any:
        """The rows of these chunks, as a table.

        Raises:
            ProtocolError: The chunks are no table, or not the one that was asked for.
        """
        batches: list[Any] = []
        try:
            for chunk in chunks:
                ipc = _aligned(chunk.ipc)
                if self._decoder is None or chunk.stream != self._stream:
                    self._form = self._checked(self._forms.of(self._as, ipc))
                    self._stream, self._decoder = chunk.stream, _Decoder(self._form)
                batches += self._decoder.batches(ipc, chunk.rows)
        except (pa.ArrowException, OSError, ValueError) as error:
            raise ProtocolError(f"what the server sent is no table: {error}") from None
        return self._known_form().incoming.piece(batches)

    @property
    def takes_long(self) -> bool:
        """Whether a piece takes time for each row, mostly without Python's lock."""
        return self._form is None or self._form.incoming.takes_long

    def joined(self, pieces: Sequence[Any]) -> Any:
        """The table that consists of these pieces."""
        return self._known_form().incoming.joined(pieces)

    @property
    def schema(self) -> Any:
        """The columns as Arrow has them, after the first chunk."""
        return None if self._form is None else self._form.schema

    def _known_form(self) -> Form:
        if self._form is None:
            raise ProtocolError("a table came without a schema")
        return self._form

    def _checked(self, form: Form) -> Form:
        """The form of a stream's first chunk."""
        if self._columns is not None and list(self._columns) != form.schema.names:
            raise ProtocolError(
                "the server sent other columns than were asked for: it is older than this client; upgrade it"
            )
        if self._form is not None and not form.schema.equals(self._form.schema, check_metadata=True):
            raise ProtocolError("the server sent other columns after the connection broke than before")
        return form


class _Decoder:
    """Reads one Arrow IPC stream, chunk by chunk."""

    def __init__(self, form: Form) -> None:
        self._form = form
        # Reads a table whose batches need dictionaries that came before: only Arrow's own reader remembers them.
        self._reader: Any = None
        self._source = _Source()

    def batches(self, ipc: Any, rows: int) -> list[Any]:
        """The batches of a chunk, which should have so many rows."""
        found = self._read_with_dictionaries(ipc, rows) if self._form.has_dictionaries else self._read(ipc)
        missing = rows - sum(batch.num_rows for batch in found)
        if missing > 0:
            raise ValueError(f"a chunk of {rows} rows ends {missing} rows early")
        if missing < 0:
            raise ValueError(f"a chunk of {rows} rows has {-missing} rows more")
        return found

    def _read(self, ipc: Any) -> list[Any]:
        found: list[Any] = []
        source = pa.BufferReader(ipc)
        # Arrow's readers of streams would read the schema once more.
        while source.tell() < ipc.size:
            try:
                message = pa.ipc.read_message(source)
            except EOFError:
                # The end mark.
                break
            if message.type == _BATCH:
                found.append(pa.ipc.read_record_batch(message, self._form.schema))
        return found

    def _read_with_dictionaries(self, ipc: Any, rows: int) -> list[Any]:
        self._source.add(ipc)
        if self._reader is None:
            self._reader = pa.ipc.open_stream(pa.PythonFile(self._source, "r"))
        found: list[Any] = []
        # A chunk without rows may have dictionaries for the next one: it is not read before that has come.
        while rows > 0 and (batch := next(self._reader, None)) is not None:
            found.append(batch)
            rows -= batch.num_rows
        return found


def _aligned(ipc: Bytes) -> Any:
    """The bytes as an aligned buffer: out of one that is not aligned, Arrow would copy each column."""
    if (whole := owner(ipc)) is not None:
        # A part of the buffer itself: Arrow frees it without Python's lock.
        part = whole.slice(pa.py_buffer(ipc).address - whole.address, len(ipc))
        if part.address % ALIGNMENT == 0:
            return part
    if len(ipc) < _LARGE_BYTES:
        return pa.py_buffer(bytes(ipc))
    buffer = pa.allocate_buffer(len(ipc))
    # This copies without Python's lock, so that others can receive meanwhile.
    pa.FixedSizeBufferWriter(buffer).write(ipc)
    return buffer


class _Source:
    """Chunks as a file for Arrow, which takes a batch out of it without a copy."""

    closed = False

    def __init__(self) -> None:
        self._waiting: deque[Any] = deque()
        self._position = 0

    def add(self, ipc: Any) -> None:
        """Adds a chunk at the end."""
        self._waiting.append(ipc)

    def read_buffer(self, size: int) -> Any:
        """The next bytes of the first chunk that has any: Arrow's messages don't cross the borders of chunks."""
        if not self._waiting:
            return pa.py_buffer(b"")
        chunk = self._waiting[0]
        taken = chunk.slice(self._position, size)
        self._position += taken.size
        if self._position == chunk.size:
            self._waiting.popleft()
            self._position = 0
        return taken

    def read(self, size: int) -> bytes:
        """The same for a few bytes, which Arrow copies."""
        read: bytes = self.read_buffer(size).to_pybytes()
        return read

    def readable(self) -> bool:
        return True

    def writable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def close(self) -> None:
        self.closed = True
