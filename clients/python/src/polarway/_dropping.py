"""Drops handles on the server when nobody has an object of them any more.

Python may notice that at any moment, in any thread, also while a lock is held. So the moment itself only leaves a note
for a thread, or for the event loop, which makes the call.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import threading
import weakref
from collections.abc import Callable, Coroutine
from queue import SimpleQueue
from typing import Any, Final

from polarway.errors import PolarwayError

_LOG: Final = logging.getLogger("polarway")

# How long the end of a client waits for the last calls.
_PATIENCE_S: Final = 5.0


class Dropper:
    """Drops the handles of a client for threads, on a thread that begins with the first handle."""

    def __init__(self, drop: Callable[[str], None]) -> None:
        self._drop = drop
        self._dropped: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        # The thread has no reference to this object, and ends with it.
        weakref.finalize(self, self._dropped.put, None).atexit = False

    def watch(self, handle: object, handle_id: str) -> weakref.finalize[Any, Any]:
        """From now on the handle is dropped with this object, unless what is returned is detached."""
        with self._lock:
            if self._thread is None:
                arguments = (self._dropped, self._drop)
                self._thread = threading.Thread(target=_run, args=arguments, name="polarway-drop", daemon=True)
                self._thread.start()
        return _watched(handle, self._dropped.put, handle_id)

    def close(self) -> None:
        """Drops what is waiting to be dropped, and ends the thread."""
        self._dropped.put(None)
        if self._thread is not None:
            self._thread.join(_PATIENCE_S)


class AsyncDropper:
    """Drops the handles of a client for asyncio, in tasks of the event loop."""

    def __init__(self, drop: Callable[[str], Coroutine[Any, Any, None]]) -> None:
        self._drop = drop
        self._tasks: set[asyncio.Task[None]] = set()

    def watch(self, handle: object, handle_id: str) -> weakref.finalize[Any, Any]:
        """See `Dropper`."""
        loop = asyncio.get_running_loop()
        return _watched(handle, _leave_note, loop, self._start, handle_id)

    async def close(self) -> None:
        """See `Dropper`."""
        # The notes that were left become tasks.
        await asyncio.sleep(0)
        if self._tasks:
            await asyncio.wait(self._tasks, timeout=_PATIENCE_S)

    def _start(self, handle_id: str) -> None:
        task = asyncio.get_running_loop().create_task(self._try(handle_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _try(self, handle_id: str) -> None:
        try:
            await self._drop(handle_id)
        except PolarwayError as error:
            report(error)


def _watched(handle: object, note: Callable[..., object], *arguments: object) -> weakref.finalize[Any, Any]:
    finalizer = weakref.finalize(handle, note, *arguments)
    # A program that ends makes no calls any more: the handle expires.
    finalizer.atexit = False
    return finalizer


def _leave_note(loop: asyncio.AbstractEventLoop, start: Callable[[str], None], handle_id: str) -> None:
    # A loop that has ended makes no calls any more.
    with contextlib.suppress(RuntimeError):
        loop.call_soon_threadsafe(start, handle_id)


def _run(dropped: SimpleQueue[str | None], drop: Callable[[str], None]) -> None:
    while (handle_id := dropped.get()) is not None:
        try:
            drop(handle_id)
        except PolarwayError as error:
            report(error)


def report(error: PolarwayError) -> None:
    """Logs that a handle could not be dropped: nobody waits for that."""
    _LOG.debug("a handle was not dropped, and stays until it expires: %s", error)
