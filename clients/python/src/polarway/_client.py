"""The client for threads.

Each method makes a flow and drives it; `_async_client.py` has the same methods, which await the same flows. To add a
method: write its flow, a coroutine whose first argument is a `Core`, in a module of its own (`polarway._calls` says how
calls are made in it), and add one line to each client, with the documentation here. `tests/test_clients.py` compares
the two.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from types import TracebackType
from typing import Any, Self

import grpc

from polarway import _datasets, _workers
from polarway._blocking import BlockingTransport, drive
from polarway._core import Core, Settings
from polarway._model import Dataset, Description, RunningQuery, ServerInfo, Version


class DistributedClient:
    """A client of one Polarway server, or of several workers over the same tables.

    It connects with its first call. Any number of threads may use it at the same time. It is closed by `close`, or at
    the end of a `with` block. It can be pickled, unless it has `credentials`; the copy has connections of its own. The
    pickle contains the token.

    Calls are made again after failures that may pass, such as a connection that broke, until the timeout; a write is
    never carried out twice.

    Args:
        host: A host, or a URL such as `https://tables.example:50052`. Several, in a list, are workers over the same
            tables: if one does not answer, the next is asked. The default is the environment's `POLARWAY_URL`, or this
            machine.
        port: The port; 50052 for a host, and that of the web for a URL.
        timeout: The seconds that a call may take, with all its tries; for a stream, how long it may deliver nothing
            new.
        credentials: What `grpc.ssl_channel_credentials` returns: which CAs to trust, and a certificate of this client.
            With them a host without `http://` or `https://` uses TLS.
        auth_token: The token that the servers require. The default is the environment's `POLARWAY_AUTH_TOKEN`.

    Raises:
        InvalidInput: An argument can't be used. Nothing was sent.
    """

    def __init__(
        self,
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        timeout: float = 30,
        credentials: grpc.ChannelCredentials | None = None,
        auth_token: str | None = None,
    ) -> None:
        self._open(Settings.of(host, port, timeout, credentials, auth_token))

    def _open(self, settings: Settings) -> None:
        self._transport = BlockingTransport(settings.credentials)
        self._core = Core(settings, self._transport)

    def health_check(self) -> str:
        """Checks that the server serves. It needs no token.

        Returns:
            `"OK"`.

        Raises:
            Unavailable: No server answers, or it says that it does not serve.
        """
        return drive(_workers.health_check(self._core))

    def server_info(self) -> ServerInfo:
        """Tells which worker answers: its version, the protocol's, DuckDB's.

        Raises:
            PolarwayError: The call failed.
        """
        return drive(_workers.server_info(self._core))

    def cache_stats(self) -> dict[str, int | float]:
        """Tells how the cache of the worker that answers is doing. Each worker has its own.

        Returns:
            `hits` and `misses` since its start, `hit_rate` from 0 to 1, `tables` in the cache, their `bytes`, the
            `capacity_bytes` that they may have, and `evictions`.

        Raises:
            PolarwayError: The call failed.
        """
        return drive(_workers.cache_stats(self._core))

    def datasets(self) -> list[Dataset]:
        """Lists all datasets with their newest versions, by name.

        Raises:
            PolarwayError: The call failed.
        """
        return drive(_datasets.datasets(self._core))

    def describe(self, name: str, *, version: int | None = None, as_of: datetime | None = None) -> Description:
        """Describes a dataset: its columns, rows and size.

        Args:
            name: The dataset.
            version: The number of a version; the newest by default.
            as_of: In place of a number, the time at which the version was the newest. It has a time zone.

        Raises:
            DatasetNotFound: There is no such dataset; the message has names near it.
            VersionNotFound: It has no such version.
        """
        return drive(_datasets.describe(self._core, name, version, as_of))

    def versions(self, name: str) -> list[Version]:
        """Lists all versions that a dataset ever had, oldest first; also those whose data is removed.

        Raises:
            DatasetNotFound: The dataset never existed.
        """
        return drive(_datasets.versions(self._core, name))

    def queries(self) -> list[RunningQuery]:
        """Lists the queries that wait or run, the oldest first, on every worker that this client knows.

        Raises:
            Unavailable: A worker does not answer.
        """
        return drive(_workers.queries(self._core))

    def cancel(self, query_id: str) -> None:
        """Cancels a query by its id, which `queries` lists. Its caller gets `QueryCancelled`.

        Raises:
            QueryNotFound: No worker that this client knows runs such a query, or it has ended.
        """
        drive(_workers.cancel(self._core, query_id))

    def close(self) -> None:
        """Closes the connections and ends all calls. A closed client can't be used again."""
        self._transport.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._core.settings.shown})"

    def __getstate__(self) -> Settings:
        return self._core.settings.picklable()

    def __setstate__(self, state: Any) -> None:
        self._open(state)
