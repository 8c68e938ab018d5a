"""Results that stay on the server, for asyncio. The methods are those of `_handle.py`, where they are documented."""

from __future__ import annotations

from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, overload

import polars as pl

from polarway._dropping import report
from polarway._fluent import Fluent, Lazy
from polarway._handles import HandleInfo
from polarway._incoming import As
from polarway._kept import Kept
from polarway._steps import Steps
from polarway._transport import Flow
from polarway.errors import PolarwayError

if TYPE_CHECKING:
    from polarway._async_client import AsyncDistributedClient
    from polarway._query import EngineChoice, Parameters
    from polarway._streams import AsyncTableStream


class AsyncHandle(Kept, Fluent[Flow["AsyncHandle"]]):
    """A query's result that is kept on the server. See `Handle`, which has the same methods.

    Those that make calls are awaited, the fluent ones too: `await (await handle.filter("n > 1")).load()`. With `lazy`
    only the end is: `await handle.lazy().filter("n > 1").collect()`.
    """

    def __init__(self, client: AsyncDistributedClient, info: HandleInfo, *, is_ours: bool) -> None:
        super().__init__(info, client._dropper.watch(self, info.id) if is_ours else None)
        self._client = client

    def lazy(self) -> AsyncLazyQuery:
        """See `Handle.lazy`."""
        return AsyncLazyQuery(self._client, self._steps())

    @overload
    async def load(self, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...

    @overload
    async def load(self, *, as_: Literal["pandas", "arrow"]) -> Any: ...

    async def load(self, *, as_: As = "polars") -> Any:
        """See `Handle.load`."""
        return await self._client.load(self.id, as_=as_)

    def load_stream(self, *, as_: As = "polars") -> AsyncTableStream:
        """See `Handle.load_stream`."""
        stream = self._client.load_stream(self.id, as_=as_)
        stream._held = self
        return stream

    async def extend(self, ttl: float | timedelta | None = None) -> None:
        """See `Handle.extend`."""
        self._info = await self._client.extend_handle(self.id, ttl)

    async def drop(self) -> None:
        """See `Handle.drop`."""
        await self._client.drop_handle(self.id)
        self.keep()

    async def _after(self, steps: Steps) -> AsyncHandle:
        return await AsyncLazyQuery(self._client, steps).collect_handle()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            try:
                await self.drop()
            except PolarwayError as failed:
                report(failed)

    def __reduce__(self) -> Any:
        # The copy needs the server's handle, also when this object is gone.
        self.keep()
        return _opened, (self._client, self._info)

    def _repr_html_(self) -> str:
        """What a notebook shows: the columns. To load rows would need the event loop."""
        return self._as_html(self._schema_as_html())


class AsyncLazyQuery(Lazy["AsyncLazyQuery"]):
    """Several steps over a handle that become one query. See `LazyQuery`, which has the same methods."""

    _client: AsyncDistributedClient

    @overload
    async def collect(
        self,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: Literal["polars"] = "polars",
    ) -> pl.DataFrame: ...

    @overload
    async def collect(
        self,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: Literal["pandas", "arrow"],
    ) -> Any: ...

    async def collect(
        self,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: As = "polars",
    ) -> Any:
        """See `LazyQuery.collect`."""
        return await self._client.query(
            self.to_sql(),
            parameters,
            time_limit=time_limit,
            resumable=resumable,
            hugeint_as_text=hugeint_as_text,
            engine=engine,
            as_=as_,
        )

    async def collect_handle(
        self,
        parameters: Parameters | None = None,
        *,
        ttl: float | timedelta | None = None,
        time_limit: float | timedelta | None = None,
        engine: EngineChoice = "auto",
    ) -> AsyncHandle:
        """See `LazyQuery.collect_handle`."""
        return await self._client.query_handle(self.to_sql(), parameters, ttl=ttl, time_limit=time_limit, engine=engine)


def _opened(client: AsyncDistributedClient, info: HandleInfo) -> AsyncHandle:
    return AsyncHandle(client, info, is_ours=False)
