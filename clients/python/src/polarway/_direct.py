"""Connections of our own to a worker, beside gRPC's: calls over them take half the time, and half of a processor's.

Such a connection only saves time. After a call that failed on one, the worker is asked over gRPC for a while.
"""

from __future__ import annotations

import socket
import threading
import time
from typing import Final

from polarway._address import Address
from polarway._headers import Broken
from polarway._http2 import Connection
from polarway._memory import place_message
from polarway._watchdog import Watchdog

# How long an address of a host may take to connect. gRPC has reached one of them before.
_CONNECT_S: Final = 0.5

# How many connections to a worker are kept between calls, and how long.
_MOST_KEPT: Final = 16
_KEEP_S: Final = 10.0

# How long a worker is only asked over gRPC after that was needed.
_PAUSE_S: Final = 10.0


class Direct:
    """The connections to a worker. Any number of threads may use it."""

    def __init__(self, address: Address, watchdog: Watchdog) -> None:
        self.address = address
        self._watchdog = watchdog
        self._lock = threading.Lock()
        # Those between calls, with the time since when. The newest is the last.
        self._kept: list[tuple[Connection, float]] = []
        self._not_before = 0.0
        self._is_ended = False
        # The one that last connected: where a host has several addresses, those of one family may lead nowhere.
        self._family = socket.AF_UNSPEC

    def take(self) -> Connection:
        """A connection for a call.

        Raises:
            Broken: gRPC is to be asked, for now.
            OSError: The worker can't be reached.
        """
        while (connection := self._newest()) is not None:
            if connection.is_quiet:
                return connection
            connection.close()
        if time.monotonic() < self._not_before:
            raise Broken("the last call failed")
        return self._connected()

    def give_back(self, connection: Connection) -> None:
        """Keeps a connection whose call has ended well."""
        with self._lock:
            if connection.is_reusable and len(self._kept) < _MOST_KEPT and not self._is_ended:
                self._kept.append((connection, time.monotonic()))
                self._watchdog.watch(self)
                return
        connection.close()

    def pause(self) -> None:
        """Has calls made over gRPC for a while."""
        self._not_before = time.monotonic() + _PAUSE_S
        self._close_all()

    def look(self, now: float) -> None:
        """Closes connections on which something came, or nothing happened for long. See `Watched`.

        A server that ends waits for the answers to its pings, which nobody would give.
        """
        with self._lock:
            kept = [(one, since) for one, since in self._kept if now < since + _KEEP_S and one.is_quiet]
            closed = [one for one, _ in self._kept if all(one is not other for other, _ in kept)]
            self._kept = kept
            if not kept:
                self._watchdog.leave(self)
        for connection in closed:
            connection.close()

    def end(self) -> None:
        """See `Watched`."""
        self._is_ended = True
        self._close_all()

    def _close_all(self) -> None:
        with self._lock:
            kept, self._kept = self._kept, []
        for connection, _ in kept:
            connection.close()

    def _newest(self) -> Connection | None:
        with self._lock:
            return self._kept.pop()[0] if self._kept else None

    def _connected(self) -> Connection:
        host, port = self.address.host, self.address.port
        places = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        failed: OSError | None = None
        for family, kind, protocol, _, place in sorted(places, key=lambda place: place[0] != self._family):
            connected = socket.socket(family, kind, protocol)
            try:
                connected.settimeout(_CONNECT_S)
                connected.connect(place)
                connected.settimeout(None)
                connected.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            except OSError as error:
                connected.close()
                failed = error
                continue
            except BaseException:
                connected.close()
                raise
            self._family = family
            return Connection(connected, str(self.address), place_message)
        raise failed or OSError("no address")
