"""Results that stay on the server, for threads."""

from __future__ import annotations

import html
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Literal, Self, overload

import polars as pl

from polarway._dropping import report
from polarway._fluent import Fluent, Lazy
from polarway._handles import HandleInfo
from polarway._incoming import As
from polarway._kept import Kept
from polarway._steps import Steps
from polarway.errors import PolarwayError

if TYPE_CHECKING:
    from polarway._client import DistributedClient
    from polarway._query import EngineChoice, Parameters
    from polarway._streams import TableStream

# How many rows a notebook shows.
_SHOWN_ROWS: Final = 10


class Handle(Kept, Fluent["Handle"]):
    """A query's result that is kept on the server. It can be loaded, queried, and named in SQL by its id.

        late = client.query_handle("SELECT * FROM flights WHERE dep_delay > 60")
        by_carrier = late.group_by("carrier").agg("count(*) AS n")
        print(by_carrier.sort("n DESC").load())
        print(client.query(f"SELECT max(dep_delay) FROM {late.id}"))

    It never changes. Its fluent methods run on the server at once, and keep their result there as another handle;
    `lazy` does several steps in one query.

    The server keeps it until it was not used for its time to live, `ttl`. If `query_handle` or a method of another
    handle has made it, it is dropped on the server when nobody has this object any more, or at the end of a `with`
    block; `keep` prevents that. A handle from `DistributedClient.handle` belongs to somebody else, and is kept.

    It can be pickled, if its client can, and used elsewhere: then it is kept as well.
    """

    def __init__(self, client: DistributedClient, info: HandleInfo, *, is_ours: bool) -> None:
        super().__init__(info, client._dropper.watch(self, info.id) if is_ours else None)
        self._client = client

    def lazy(self) -> LazyQuery:
        """Steps that run as one query, when their rows are requested."""
        return LazyQuery(self._client, self._steps())

    @overload
    def load(self, *, as_: Literal["polars"] = "polars") -> pl.DataFrame: ...

    @overload
    def load(self, *, as_: Literal["pandas", "arrow"]) -> Any: ...

    def load(self, *, as_: As = "polars") -> Any:
        """Loads its rows.

        Args:
            as_: `"polars"`, `"pandas"` or `"arrow"`, for a `pyarrow.Table`.

        Raises:
            HandleNotFound: It has expired or was dropped.
        """
        return self._client.load(self.id, as_=as_)

    def load_stream(self, *, as_: As = "polars") -> TableStream:
        """Loads its rows in pieces, in order. The stream keeps the handle from being dropped.

        Raises:
            HandleNotFound: It has expired or was dropped.
        """
        stream = self._client.load_stream(self.id, as_=as_)
        stream._held = self
        return stream

    def extend(self, ttl: float | timedelta | None = None) -> None:
        """Extends it: from now on it is kept for so long without being used, or for as long as before.

        Args:
            ttl: A time in seconds, or a `timedelta`.

        Raises:
            HandleNotFound: It has expired or was dropped.
            InvalidInput: The server refuses the time.
        """
        self._info = self._client.extend_handle(self.id, ttl)

    def drop(self) -> None:
        """Drops it on the server, whoever made it. Loads that run go on. A handle that was dropped before is no error.

        Raises:
            HandleNotFound: It has expired.
        """
        self._client.drop_handle(self.id)
        self.keep()

    def _after(self, steps: Steps) -> Handle:
        return LazyQuery(self._client, steps).collect_handle()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._is_ours:
            try:
                self.drop()
            except PolarwayError as failed:
                report(failed)

    def __reduce__(self) -> Any:
        # The copy needs the server's handle, also when this object is gone.
        self.keep()
        return _opened, (self._client, self._info)

    def _repr_html_(self) -> str:
        """What a notebook shows: the columns and the first rows."""
        try:
            first = self._client.load(self.id, rows=range(min(_SHOWN_ROWS, self.rows)))
        except PolarwayError as error:
            return self._as_html(f"<p>{html.escape(error.message)}</p>{self._schema_as_html()}")
        with pl.Config(tbl_hide_dataframe_shape=True, tbl_rows=_SHOWN_ROWS):
            return self._as_html(first._repr_html_())


class LazyQuery(Lazy["LazyQuery"]):
    """Several steps over a handle that become one query, which runs when its rows are requested.

        worst = (
            flights.lazy()
            .filter("carrier = $carrier")
            .with_columns("dep_delay / 60 AS hours")
            .sort("hours DESC NULLS LAST")
            .limit(10)
        )
        print(worst.collect({"carrier": "UA"}))

    `Handle.lazy` makes it.
    """

    _client: DistributedClient

    @overload
    def collect(
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
    def collect(
        self,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: Literal["pandas", "arrow"],
    ) -> Any: ...

    def collect(
        self,
        parameters: Parameters | None = None,
        *,
        time_limit: float | timedelta | None = None,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
        as_: As = "polars",
    ) -> Any:
        """Runs it, and returns its rows. The arguments are those of `DistributedClient.query`.

        Raises:
            PolarwayError: As in `query`; a column that does not exist is an error of this call.
        """
        return self._client.query(
            self.to_sql(),
            parameters,
            time_limit=time_limit,
            resumable=resumable,
            hugeint_as_text=hugeint_as_text,
            engine=engine,
            as_=as_,
        )

    def collect_handle(
        self,
        parameters: Parameters | None = None,
        *,
        ttl: float | timedelta | None = None,
        time_limit: float | timedelta | None = None,
        engine: EngineChoice = "auto",
    ) -> Handle:
        """Runs it, and keeps its result. The arguments are those of `DistributedClient.query_handle`.

        Raises:
            PolarwayError: As in `query_handle`; a column that does not exist is an error of this call.
        """
        return self._client.query_handle(self.to_sql(), parameters, ttl=ttl, time_limit=time_limit, engine=engine)


def _opened(client: DistributedClient, info: HandleInfo) -> Handle:
    return Handle(client, info, is_ours=False)
