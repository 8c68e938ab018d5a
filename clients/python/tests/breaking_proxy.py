"""A proxy between a client and a server that fails at a chosen byte."""

from __future__ import annotations

import contextlib
import selectors
import socket
import threading
from collections.abc import Iterator, Sequence
from typing import Literal

_PART = 1 << 16


class Proxy:
    """Forwards connections to a server, and counts the bytes of both directions together.

    The connection that reaches `fails_after` first fails: both ends are closed, or nothing goes through it any more.
    Each of the next connections is closed after as many bytes to the server as the next of `cuts` says.
    """

    def __init__(
        self,
        server: str,
        fails_after: int | None = None,
        how: Literal["cut", "silent"] = "cut",
        *,
        port: int = 0,
        cuts: Sequence[int] = (),
    ) -> None:
        host, _, its_port = server.rpartition(":")
        self._server = (host, int(its_port))
        self._fails_after = fails_after
        self._how = how
        self._lock = threading.Lock()
        self._listener = socket.create_server(("127.0.0.1", port))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        """Where it listens."""
        self._threads = [threading.Thread(target=self._accept)]
        self._sockets = [self._listener]
        self._is_closed = False
        self.count = 0
        """The bytes that have gone through."""
        self.failures = 0
        """How many connections have failed."""
        self.connections = 0
        self.cuts = list(cuts)
        """Those of connections that have not been made."""
        self.arrivals: list[list[int]] = []
        """For each connection, how many bytes for the server came at once, one time after the other."""
        self._threads[0].start()

    def fail(self) -> None:
        """Fails at the next byte."""
        with self._lock:
            self._fails_after = self.count

    def close(self) -> None:
        """Ends all connections."""
        if self._is_closed:
            return
        self._is_closed = True
        self._end(self._listener)
        self._threads[0].join()
        # There are no others now. They are closed after the threads have seen that they are over.
        self._end(*self._sockets)
        for thread in self._threads:
            thread.join()
        for one in self._sockets:
            one.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            with self._lock:
                self.connections += 1
                self._sockets += [client, server]
                arrivals: list[int] = []
                self.arrivals.append(arrivals)
                cut = self.cuts.pop(0) if self.cuts else None
                thread = threading.Thread(target=self._forward, args=(client, server, arrivals, cut))
                self._threads.append(thread)
            thread.start()

    def _forward(self, client: socket.socket, server: socket.socket, arrivals: list[int], cut: int | None) -> None:
        with contextlib.suppress(OSError, ValueError), selectors.DefaultSelector() as ready:
            ready.register(client, selectors.EVENT_READ, server)
            ready.register(server, selectors.EVENT_READ, client)
            while True:
                for key, _ in ready.select():
                    source, target = key.fileobj, key.data
                    assert isinstance(source, socket.socket)
                    part = source.recv(_PART)
                    if source is client:
                        if cut is not None:
                            part = part[: cut - sum(arrivals)]
                        arrivals.append(len(part))
                    if not part:
                        return self._end(client, server)
                    if not self._passes(part, target):
                        return None if self._how == "silent" else self._end(client, server)

    def _passes(self, part: bytes, target: socket.socket) -> bool:
        """Forwards bytes, and tells whether the connection goes on."""
        with self._lock:
            left = len(part)
            fails = self._fails_after is not None and self.failures == 0 and self.count + left >= self._fails_after
            if fails:
                assert self._fails_after is not None
                left = self._fails_after - self.count
                self.failures += 1
            self.count += left
        target.sendall(part[:left])
        return not fails

    def _end(self, *ends: socket.socket) -> None:
        for end in ends:
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def before(
    server: str,
    fails_after: int | None = None,
    how: Literal["cut", "silent"] = "cut",
    *,
    port: int = 0,
    cuts: Sequence[int] = (),
) -> Iterator[Proxy]:
    """A proxy before this server."""
    proxy = Proxy(server, fails_after, how, port=port, cuts=cuts)
    try:
        yield proxy
    finally:
        proxy.close()
