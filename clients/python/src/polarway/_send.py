"""Sends tables to a worker: one try of an upload."""

from __future__ import annotations

import dataclasses
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from typing import Final

from polarway._calls import Attempt
from polarway._encode import encoded
from polarway._failure import Failure
from polarway._generated import messages, methods
from polarway._memory import joined
from polarway._outgoing import Outgoing
from polarway._progress import Progress
from polarway._transport import CallFailed, Job
from polarway._transport import Outgoing as Upload
from polarway._wire import Bytes, decode, encode, field_of, framed

# A worker that receives nothing for a while takes the client for dead.
_HEARTBEAT_S: Final = 1.0

_HEARTBEAT: Final[Sequence[Bytes]] = (encode(messages.StoreRequest()),)

_CHUNK: Final = field_of(messages.StoreRequest, "chunk")
_IPC: Final = field_of(messages.Chunk, "ipc")


@dataclasses.dataclass(frozen=True, slots=True)
class Table:
    """A table to send, and where it goes."""

    header: messages.StoreHeader
    source: Outgoing


async def send(attempt: Attempt, tables: Sequence[Table], progress: Progress) -> list[messages.StoreResult]:
    """Sends all tables, and receives what became of each.

    Raises:
        CallFailed: The call failed, or the worker took nothing for too long.
        InvalidInput: A row is too large, or Arrow can't write a column.
        Exception: What reading the tables raised.
    """
    parts = _Parts(tables, joins=not attempt.transport.takes_pieces)
    upload = attempt.upload(methods.STORE)
    try:
        progress.again()
        await _send_all(attempt, upload, parts, progress)
        return await _answer(attempt, upload, parts.began)
    finally:
        # After an error, nobody waits for the call any more. One that is over stays as it is.
        upload.cancel()
        parts.stop()


async def _send_all(attempt: Attempt, upload: Upload, parts: _Parts, progress: Progress) -> None:
    """Sends parts until all are sent, or the worker has answered."""
    job = attempt.transport.start(parts.next)
    while True:
        part = await _ready(attempt, upload, job)
        if part.message is None:
            return
        # The next part is encoded while this one is sent.
        job = attempt.transport.start(parts.next)
        if not await _sent(attempt, upload, part.message):
            return
        progress.advance(part.rows, sum(map(len, part.message)))


async def _ready(attempt: Attempt, upload: Upload, job: Job[_Part]) -> _Part:
    """The part that is being encoded. The worker hears each second that there will be one."""
    while True:
        try:
            part = await job.result(_HEARTBEAT_S)
        except TimeoutError:
            if await _sent(attempt, upload, _HEARTBEAT):
                continue
            return _Part()
        if part.error is not None:
            raise part.error
        return part


async def _sent(attempt: Attempt, upload: Upload, message: Sequence[Bytes]) -> bool:
    """Sends a message; false if the worker has answered."""
    try:
        is_taken = await upload.send(message, attempt.timeout_s)
    except TimeoutError:
        raise _stuck(attempt, "took no more of the upload", attempt.timeout_s) from None
    attempt.going()
    return is_taken


async def _answer(attempt: Attempt, upload: Upload, began: float) -> list[messages.StoreResult]:
    # To write may take as long as to send.
    bound_s = min(attempt.timeout_s, max(attempt.patience_s, time.monotonic() - began))
    try:
        answer = await upload.answer(bound_s)
    except TimeoutError:
        raise _stuck(attempt, "did not say what became of the upload", bound_s) from None
    return decode(messages.StoreResponse, answer).results


def _stuck(attempt: Attempt, what: str, bound_s: float) -> CallFailed:
    return CallFailed(Failure.unreachable(f"the server at {attempt.worker.address} {what} for {bound_s:g} s"))


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    """A message in pieces, or the error in its place; neither behind the last one."""

    message: Sequence[Bytes] | None = None
    rows: int = 0
    # It is no exception of the thread that encodes, where its being a `TimeoutError` would mean something else.
    error: BaseException | None = None


class _Parts:
    """The messages of an upload, which one thread after another encodes."""

    def __init__(self, tables: Sequence[Table], *, joins: bool) -> None:
        self.began = time.monotonic()
        self._messages = _messages(tables, joins)
        self._lock = threading.Lock()
        self._is_stopped = False

    def next(self) -> _Part:
        """Encodes the next message. It may take long."""
        with self._lock:
            if self._is_stopped:
                return _Part()
            try:
                return next(self._messages, _Part())
            except Exception as error:
                return _Part(error=error)

    def stop(self) -> None:
        """Nobody wants the other messages. One that is being encoded is the last."""
        self._is_stopped = True


def _messages(tables: Sequence[Table], joins: bool) -> Iterator[_Part]:
    for index, table in enumerate(tables):
        is_last = index + 1 == len(tables)
        yield _Part([encode(messages.StoreRequest(header=dataclasses.replace(table.header, last=is_last)))])
        rows, checksum = 0, 0
        for chunk in encoded(table.source.schema, table.source.batches()):
            rows += chunk.rows
            for piece in chunk.ipc:
                checksum = zlib.crc32(piece, checksum)
            place = encode(messages.Chunk(first_row=chunk.first_row, rows=chunk.rows))
            message = framed(_CHUNK, [*framed(_IPC, chunk.ipc), place])
            yield _Part([joined(message)] if joins else message, chunk.rows)
        yield _Part([encode(messages.StoreRequest(trailer=messages.StoreTrailer(rows=rows, crc32=checksum)))])
