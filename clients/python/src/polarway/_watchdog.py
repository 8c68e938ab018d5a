"""Looks now and then at what waits for servers: a read of gRPC, or of a socket that has no time limit, has none."""

from __future__ import annotations

import threading
import time
import weakref
from typing import Final, Protocol

# How often it looks.
_TICK_S: Final = 0.25


class Watched(Protocol):
    """What the watchdog looks at. All of it is called in the watchdog's thread, or in that which ends the client."""

    def look(self, now: float) -> None:
        """Ends what is late by this time of the monotonic clock."""
        ...

    def end(self) -> None:
        """The client is closed."""
        ...


class Watchdog:
    """It is one thread while there is something to look at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # A stream that nobody reads any more is collected, and its call ends.
        self._watched: weakref.WeakSet[Watched] = weakref.WeakSet()
        self._is_awake = False

    def watch(self, watched: Watched) -> None:
        """Begins to look at something. To begin twice does nothing."""
        with self._lock:
            self._watched.add(watched)
            if self._is_awake:
                return
            self._is_awake = True
        threading.Thread(target=self._look, name="polarway-watchdog", daemon=True).start()

    def leave(self, watched: Watched) -> None:
        """Looks at it no longer. To leave twice does nothing."""
        with self._lock:
            self._watched.discard(watched)

    def end_all(self) -> None:
        """Ends all that is watched, since the client is closed."""
        for watched in self._all():
            watched.end()

    def _look(self) -> None:
        # Nothing here may name what is watched while it sleeps: it would not be collected.
        while True:
            time.sleep(_TICK_S)
            if not self._look_once():
                return

    def _look_once(self) -> bool:
        """Looks at all, and tells whether there is anything."""
        watched = self._all()
        for one in watched:
            one.look(time.monotonic())
        return bool(watched)

    def _all(self) -> tuple[Watched, ...]:
        with self._lock:
            watched = tuple(self._watched)
            self._is_awake = self._is_awake and bool(watched)
        return watched
