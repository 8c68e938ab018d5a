"""A connection that breaks where a test wants it to."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
from collections.abc import Iterator


class Proxy:
    """Passes bytes on between clients and a server, and breaks connections after a number of bytes to the server.

    Attributes:
        address: Where it listens.
        cuts: For each connection that will be made, after how many bytes it breaks; those behind the last don't.
        passed: How many bytes went to the server, for each connection so far.
        arrivals: How many bytes for the server arrived at once, for each time.
    """

    def __init__(self, server: str, cuts: list[int]) -> None:
        host, _, port = server.rpartition(":")
        self._server = (host, int(port))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.cuts = cuts
        self.passed: list[int] = []
        self.arrivals: list[int] = []
        self._open: list[socket.socket] = []
        self._threads = [threading.Thread(target=self._accept)]
        self._threads[0].start()

    def close(self) -> None:
        """Ends all connections."""
        self._listener.shutdown(socket.SHUT_RDWR)
        self._threads[0].join()
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads[1:]:
            thread.join()
        for connection in self._open:
            connection.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection(self._server)
            self._open += [client, server]
            left = self.cuts.pop(0) if self.cuts else None
            self.passed.append(0)
            up = threading.Thread(target=self._pass_up, args=(client, server, len(self.passed) - 1, left))
            down = threading.Thread(target=_pass_down, args=(server, client))
            self._threads += [up, down]
            up.start()
            down.start()

    def _pass_up(self, client: socket.socket, server: socket.socket, index: int, left: int | None) -> None:
        with contextlib.suppress(OSError):
            while left is None or self.passed[index] < left:
                most = 1 << 16 if left is None else min(1 << 16, left - self.passed[index])
                data = client.recv(most)
                if not data:
                    break
                server.sendall(data)
                self.passed[index] += len(data)
                self.arrivals.append(len(data))
        for end in client, server:
            _break(end)


def _pass_down(server: socket.socket, client: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := server.recv(1 << 16):
            client.sendall(data)
    _break(client)


def _break(connection: socket.socket) -> None:
    """Ends a connection at once, without sending what waits."""
    with contextlib.suppress(OSError):
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def running(server: str, cuts: list[int] | None = None) -> Iterator[Proxy]:
    """Runs a proxy before a server."""
    proxy = Proxy(server, cuts or [])
    try:
        yield proxy
    finally:
        proxy.close()
