"""The client for asyncio. Its methods are those of `_client.py`, where they are documented."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, overload

import grpc
import polars as pl

from polarway import _datasets, _handles, _load, _query, _scan, _store, _workers
from polarway._async import AsyncTransport
from polarway._async_handle import AsyncHandle
from polarway._client import DistributedClient
from polarway._core import Core, Settings
from polarway._dropping import AsyncDropper
from polarway._handle import Handle
from polarway._handles import HandleInfo
from polarway._incoming import As
from polarway._load import Selection
from polarway._model import Dataset, Description, Published, RunningQuery, ServerInfo, Version
from polarway._query import EngineChoice, Parameters, Query
from polarway._store import StoreMode
from polarway._streams import AsyncQueryStream, AsyncTableStream


class AsyncDistributedClient:
    """A client for asyncio. See `DistributedClient`, which has the same methods and arguments.

    Any number of tasks may use it at the same time. Tables are decoded and encoded on threads, never on the event loop.
    A task that is cancelled ends its call, and the server's work. It is closed by `await client.close()`, or at the end
    of an `async with` block.
    """

    def __init__(
        self,
        host: str | Iterable[str] | None = None,
        port: int | None = None,
        timeout: float | timedelta = 30,
        credentials: grpc.ChannelCredentials | None = None,
        auth_token: str | None = None,
        *,
        progress: bool | None = None,
    ) -> None:
        self._open(Settings.of(host, port, timeout, credentials, auth_token, progress))

    def _open(self, settings: Settings) -> None:
        self._transport = AsyncTransport(settings.credentials)
        self._core = core = Core(settings, self._transport)
        self._dropper = AsyncDropper(lambda handle_id: _handles.drop(core, handle_id))
        # The client for threads that lazy frames use: polars reads its sources in threads.
        self._blocking: DistributedClient | None = None

    @property
    def urls(self) -> list[str]:
        """See `DistributedClient.urls`."""
        return self._core.settings.urls

    async def health_check(self) -> str:
        """See `DistributedClient.health_check`."""
        return await _workers.health_check(self._core)

    async def server_info(self) -> ServerInfo:
        """See `DistributedClient.server_info`."""
        return await _workers.server_info(self._core)

    async def cache_stats(self) -> dict[str, int | float]:
        """See `DistributedClient.cache_stats`."""
        return await _workers.cache_stats(self._core)

    @overload
    async def load(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: Literal["polars"] = "polars",
    ) -> pl.DataFrame: ...

    @overload
    async def load(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: Literal["pandas", "arrow"],
    ) -> Any: ...

    async def load(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: As = "polars",
    ) -> Any:
        """See `DistributedClient.load`."""
        return await _load.load(self._core, Selection.of(name, version, as_of, columns, rows), as_)

    @overload
    async def query(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: Literal["polars"] = "polars",
    ) -> pl.DataFrame: ...

    @overload
    async def query(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: As,
    ) -> Any: ...

    async def query(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: As = "polars",
    ) -> Any:
        """See `DistributedClient.query`."""
        query = Query(sql, parameters, time_limit, resumable=resumable, hugeint_as_text=hugeint_as_text, engine=engine)
        return await _query.query(self._core, query, as_, self._own)

    def load_stream(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: As = "polars",
    ) -> AsyncTableStream:
        """See `DistributedClient.load_stream`. It is not awaited: `async for` reads it."""
        return AsyncTableStream(self._core, Selection.of(name, version, as_of, columns, rows), as_)

    def query_stream(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: As = "polars",
    ) -> AsyncQueryStream:
        """See `DistributedClient.query_stream`. It is not awaited: `async for` reads it."""
        query = Query(sql, parameters, time_limit, resumable=resumable, hugeint_as_text=hugeint_as_text, engine=engine)
        return AsyncQueryStream(self._core, query, as_, self._own)

    async def query_handle(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        ttl: float | timedelta | None = None,
        time_limit: float | timedelta | None = None,
        engine: EngineChoice = "auto",
    ) -> AsyncHandle:
        """See `DistributedClient.query_handle`."""
        info, _ = await _handles.create(self._core, Query(sql, parameters, time_limit, engine=engine), ttl)
        return self._own(info)

    async def handle(self, handle_id: str) -> AsyncHandle:
        """See `DistributedClient.handle`."""
        return AsyncHandle(self, await _handles.find(self._core, handle_id), is_ours=False)

    async def handles(self) -> list[HandleInfo]:
        """See `DistributedClient.handles`."""
        return await _handles.find_all(self._core)

    async def extend_handle(self, handle_id: str, ttl: float | timedelta | None = None) -> HandleInfo:
        """See `DistributedClient.extend_handle`."""
        return await _handles.extend(self._core, handle_id, ttl)

    async def drop_handle(self, handle_id: str) -> None:
        """See `DistributedClient.drop_handle`."""
        await _handles.drop(self._core, handle_id)

    async def scan(
        self,
        source: str | Handle | AsyncHandle,
        parameters: Parameters | None = None,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
    ) -> pl.LazyFrame:
        """See `DistributedClient.scan`. The frame is collected as any other, for example with `collect_async`."""
        if self._blocking is None:
            self._blocking = DistributedClient.__new__(DistributedClient)
            self._blocking._open(self._core.settings)
        return await asyncio.to_thread(_scan.scan, self._blocking, source, parameters, version, as_of)

    async def datasets(self) -> list[Dataset]:
        """See `DistributedClient.datasets`."""
        return await _datasets.datasets(self._core)

    async def describe(self, name: str, *, version: int | None = None, as_of: datetime | None = None) -> Description:
        """See `DistributedClient.describe`."""
        return await _datasets.describe(self._core, name, version, as_of)

    async def versions(self, name: str) -> list[Version]:
        """See `DistributedClient.versions`."""
        return await _datasets.versions(self._core, name)

    async def store(
        self,
        name: str,
        data: object,
        *,
        mode: StoreMode = "overwrite",
        expected_version: int | None = None,
        request: uuid.UUID | None = None,
    ) -> Published:
        """See `DistributedClient.store`."""
        return await _store.store(self._core, name, data, mode, expected_version, request)

    async def append(
        self, name: str, data: object, *, expected_version: int | None = None, request: uuid.UUID | None = None
    ) -> Published:
        """See `DistributedClient.append`."""
        return await _store.append(self._core, name, data, expected_version, request)

    async def store_batch(self, tables: Mapping[str, object]) -> dict[str, Published]:
        """See `DistributedClient.store_batch`."""
        return await _store.store_batch(self._core, tables)

    async def delete(
        self,
        name: str,
        *,
        expected_version: int | None = None,
        purge: bool = False,
        request: uuid.UUID | None = None,
    ) -> Published:
        """See `DistributedClient.delete`."""
        return await _datasets.delete(self._core, name, expected_version, purge, request)

    async def queries(self) -> list[RunningQuery]:
        """See `DistributedClient.queries`."""
        return await _workers.queries(self._core)

    async def cancel(self, query_id: str) -> None:
        """See `DistributedClient.cancel`."""
        await _workers.cancel(self._core, query_id)

    def _own(self, info: HandleInfo) -> AsyncHandle:
        """A handle that is dropped with its object."""
        return AsyncHandle(self, info, is_ours=True)

    async def close(self) -> None:
        """See `DistributedClient.close`."""
        await self._dropper.close()
        if self._blocking is not None:
            await asyncio.to_thread(self._blocking.close)
        await self._transport.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._core.settings.shown})"

    def __getstate__(self) -> Settings:
        return self._core.settings.picklable()

    def __setstate__(self, state: Any) -> None:
        self._open(state)
