"""The client for threads.

Each method makes a flow and drives it; `_async_client.py` has the same methods, which await the same flows. To add a
method: write its flow, a coroutine whose first argument is a `Core`, in a module of its own (`polarway._calls` says how
calls are made in it), and add one line to each client, with the documentation here. `tests/test_clients.py` compares
the two.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from types import TracebackType
from typing import Any, Literal, Self, overload

import grpc
import polars as pl

from polarway import _datasets, _handles, _load, _query, _scan, _store, _workers
from polarway._async_handle import AsyncHandle
from polarway._blocking import BlockingTransport, drive
from polarway._core import Core, Settings
from polarway._dropping import Dropper
from polarway._handle import Handle
from polarway._handles import HandleInfo
from polarway._incoming import As
from polarway._load import Selection
from polarway._model import Dataset, Description, Published, RunningQuery, ServerInfo, Version
from polarway._query import EngineChoice, Parameters, Query
from polarway._store import StoreMode
from polarway._streams import QueryStream, TableStream


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
        timeout: How long a call may take with all its tries, in seconds or as a `timedelta`; for a stream, how long it
            may deliver nothing new.
        credentials: What `grpc.ssl_channel_credentials` returns: which CAs to trust, and a certificate of this client.
            With them a host without `http://` or `https://` uses TLS.
        auth_token: The token that the servers require. The default is the environment's `POLARWAY_AUTH_TOKEN`.
        progress: Whether a line on standard error shows how far a store, a load or a query is that takes longer than a
            second. The default is to show it in notebooks.

    Raises:
        InvalidInput: An argument can't be used. Nothing was sent.
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
        self._transport = BlockingTransport(settings.credentials)
        self._core = core = Core(settings, self._transport)
        self._dropper = Dropper(lambda handle_id: drive(_handles.drop(core, handle_id)))

    @property
    def urls(self) -> list[str]:
        """The servers that this client knows, such as `["http://localhost:50052"]`."""
        return self._core.settings.urls

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

    @overload
    def load(
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
    def load(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: Literal["pandas", "arrow"],
    ) -> Any: ...

    def load(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: As = "polars",
    ) -> Any:
        """Loads a dataset's newest version, or a handle by its id.

        Args:
            name: The dataset.
            version: The number of a version.
            as_of: In place of a number, the time at which the version was the newest. It has a time zone.
            columns: Only these columns, in this order; the others are not sent.
            rows: Only these rows, counted from 0, such as `range(100, 200)`; the others are not sent.
            as_: `"polars"`, `"pandas"` or `"arrow"`, for a `pyarrow.Table`.

        Returns:
            The table, with the types that were stored.

        Raises:
            DatasetNotFound: There is no such dataset; the message has names near it.
            VersionNotFound: It has no such version, or retention has removed its data.
            ColumnNotFound: It has no such column; the message has names near it.
            InvalidInput: An argument can't be used, or the table can't be had in this form.
        """
        return drive(_load.load(self._core, Selection.of(name, version, as_of, columns, rows), as_))

    @overload
    def query(
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
    def query(
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

    def query(
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
        """Runs a SELECT in DuckDB's dialect, or EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES.

        Datasets are tables under their names, handles under their ids. `query_stream` also tells what the query did.

        Args:
            sql: The text.
            parameters: The values of its parameters: a list for `?` and `$1`, or a dict for `$name`. They are sent
                apart from the text, so they can't change its meaning. For types that Python lacks, give a
                `pyarrow.Array` of one value.
            time_limit: How long the query may take on the server, waiting included: seconds, or a `timedelta`. The
                default is the longest time that the server allows.
            resumable: Whether the server computes the complete result before it sends the first row, and keeps it until
                all rows have arrived: if the connection breaks meanwhile, the rest is read, and the query is not run
                again. For results that take long to compute or to send. The server needs room for the result, and
                `time_limit` bounds the computation alone. EXPLAIN and the like can't be read so.
            hugeint_as_text: Whether numbers of type HUGEINT, as the sum of integers is one, come as text. They may have
                39 digits, and a decimal of Arrow has 38: a result with such a number is refused without this. A
                resumable result has decimals.
            engine: Which workers run it: `"local"` is the one that is asked, `"distributed"` all workers together, and
                `"auto"` lets the server decide, by its settings and by how much the query reads. `"distributed"` is an
                error for a query that can't be run so.
            as_: `"polars"`, `"pandas"` or `"arrow"`, for a `pyarrow.Table`.

        Returns:
            The whole result.

        Raises:
            QueryError: The text is wrong, or the query failed on its data or its size.
            PermissionDenied: The text does something that queries must not do.
            DatasetNotFound: A name is no dataset.
            QueryCancelled: Somebody cancelled it.
            TimedOut: It took longer than its limit.
            InvalidInput: A value can't be sent, or the result can't be had in this form.
        """
        query = Query(sql, parameters, time_limit, resumable=resumable, hugeint_as_text=hugeint_as_text, engine=engine)
        return drive(_query.query(self._core, query, as_, self._own))

    def load_stream(
        self,
        name: str,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
        columns: str | Iterable[str] | None = None,
        rows: range | slice | None = None,
        as_: As = "polars",
    ) -> TableStream:
        """Loads a dataset in pieces: each is a table, and its memory is freed when it is dropped.

        If the connection breaks, the load continues at the next row of the same version.

            for batch in client.load_stream("flights"):
                process(batch)

        Args:
            name: As in `load`, and so are the others.
            version: The number of a version.
            as_of: The time at which the version was the newest.
            columns: Only these columns.
            rows: Only these rows.
            as_: The form of the pieces.

        Raises:
            PolarwayError: As in `load`. What goes wrong later is raised where the pieces are taken.
        """
        stream = TableStream(self._core, Selection.of(name, version, as_of, columns, rows), as_)
        return drive(stream._begin())

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
    ) -> QueryStream:
        """Runs a query and gives its rows in pieces, while the query makes them.

            stream = client.query_stream("SELECT * FROM flights WHERE dep_delay > $1", [60])
            late = stream.read_all()
            print(stream.summary)

        Args:
            sql: As in `query`, and so are the others.
            parameters: The values of its parameters.
            time_limit: How long it may take.
            resumable: Whether the server keeps the result until all rows have arrived, so that the stream continues
                after a break. The next rows must be taken before the server's time to live of handles is over.
            hugeint_as_text: Whether HUGEINT comes as text.
            engine: Which workers run it.
            as_: The form of the pieces.

        Raises:
            PolarwayError: As in `query`. What goes wrong later is raised where the pieces are taken; unless the query
                is resumable, a connection that breaks after the first rows is one such thing.
        """
        query = Query(sql, parameters, time_limit, resumable=resumable, hugeint_as_text=hugeint_as_text, engine=engine)
        stream = QueryStream(self._core, query, as_, self._own)
        return drive(stream._begin())

    def query_handle(
        self,
        sql: str,
        parameters: Parameters | None = None,
        *,
        ttl: float | timedelta | None = None,
        time_limit: float | timedelta | None = None,
        engine: EngineChoice = "auto",
    ) -> Handle:
        """Runs a SELECT and keeps its result on the server.

            late = client.query_handle("SELECT * FROM flights WHERE dep_delay > $1", [60])
            print(late.group_by("carrier").agg("count(*) AS n").load())

        Args:
            sql: As in `query`. EXPLAIN can't be kept.
            parameters: As in `query`.
            ttl: How long the result is kept without being used: seconds, or a `timedelta`. The default is the server's.
            time_limit: As in `query`.
            engine: As in `query`.

        Raises:
            PolarwayError: As in `query`.
            ResourceExhausted: The server has no room for the result.
            InvalidInput: A value can't be sent, or the server refuses the time to live.
        """
        info, _ = drive(_handles.create(self._core, Query(sql, parameters, time_limit, engine=engine), ttl))
        return self._own(info)

    def handle(self, handle_id: str) -> Handle:
        """Finds an existing handle by its id. It is kept on the server when the returned object is gone.

        Raises:
            InvalidInput: The text is no handle's id.
            HandleNotFound: It is unknown, has expired or was dropped; `reason` tells which.
        """
        return Handle(self, drive(_handles.find(self._core, handle_id)), is_ours=False)

    def handles(self) -> list[HandleInfo]:
        """Lists all handles, by id. If each worker has its own handles, they are those of the worker that answers.

        Raises:
            PolarwayError: The call failed.
        """
        return drive(_handles.find_all(self._core))

    def extend_handle(self, handle_id: str, ttl: float | timedelta | None = None) -> HandleInfo:
        """Extends a handle: from now on it is kept for so long without being used, or for as long as before.

        Args:
            handle_id: Its id.
            ttl: A time in seconds, or a `timedelta`.

        Raises:
            HandleNotFound: It is unknown, has expired or was dropped.
            InvalidInput: The text is no handle's id, or the server refuses the time.
        """
        return drive(_handles.extend(self._core, handle_id, ttl))

    def drop_handle(self, handle_id: str) -> None:
        """Drops a handle before it expires. Calls that read it go on. One that was dropped before is no error.

        Raises:
            HandleNotFound: It is unknown or has expired.
            InvalidInput: The text is no handle's id.
        """
        drive(_handles.drop(self._core, handle_id))

    def scan(
        self,
        source: str | Handle | AsyncHandle,
        parameters: Parameters | None = None,
        *,
        version: int | None = None,
        as_of: datetime | None = None,
    ) -> pl.LazyFrame:
        """A table of the server as a `polars.LazyFrame`, which asks for the rows and columns that it needs.

            late = client.scan("flights").filter(pl.col("dep_delay") > 60).select("carrier", "dep_delay")
            print(late.group_by("carrier").len().collect(engine="streaming"))

        Only the columns in use are sent, and of a filter the server applies what SQL can express with the same meaning:
        comparisons of columns with constants, `is_in`, `is_between`, `is_null`, `str.starts_with` and the like, joined
        by `&`, `|` and `~`. The result is always what polars gives for the whole table. With `engine="streaming"` the
        table need not fit into memory.

        The frame reads one state of the table, however often and whenever it is collected: the version that is the
        newest now, a version that is named, a handle, or the result of a SELECT. A SELECT runs now, and the server
        keeps its result as long as somebody has the frame or one made of it, unless it lies unused for too long.

        Args:
            source: A dataset, a handle or its id, or a SELECT, which has spaces in it.
            parameters: The values of a SELECT's parameters, as in `query`.
            version: The number of a version of a dataset.
            as_of: In place of a number, the time at which the version was the newest. It has a time zone.

        Raises:
            DatasetNotFound: There is no such dataset; the message has names near it.
            VersionNotFound: It has no such version.
            HandleNotFound: The handle has expired or was dropped.
            InvalidInput: An argument can't be used.
        """
        return _scan.scan(self, source, parameters, version, as_of)

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

    def store(
        self,
        name: str,
        data: object,
        *,
        mode: StoreMode = "overwrite",
        expected_version: int | None = None,
        request: uuid.UUID | None = None,
    ) -> Published:
        """Stores a table under a name, in place of the dataset's rows.

        It is on the server's stable storage when this returns. The rows that it replaces stay readable as an older
        version. Columns come back as they went: their types and nulls, and the index of a pandas frame.

        Args:
            name: The dataset.
            data: A `polars.DataFrame` or `LazyFrame`, a `pandas.DataFrame`, a `pyarrow.Table`, `RecordBatch` or
                `RecordBatchReader`, or anything with `__arrow_c_stream__`. A `LazyFrame` and a stream are read while
                they are sent, in bounded memory; of a stream that is longer than 64 MiB, an upload that breaks can't
                be made again.
            mode: `"create"` refuses a dataset that exists.
            expected_version: Refuses the write unless the dataset is at this version; 0 is one that was never written.
            request: The id of this write, from `fresh_request`, if the program may make it again itself: within ten
                minutes, the same id gets the first answer, and nothing is written twice. The client's own tries have
                one anyway.

        Returns:
            The version that was made.

        Raises:
            InvalidInput: A name that is not allowed, or a column that can't be stored, which is named. Nothing is
                changed.
            Conflict: The dataset exists, or is at another version.
            Unavailable: No server can be reached, or the upload kept breaking until the timeout.
        """
        return drive(_store.store(self._core, name, data, mode, expected_version, request))

    def append(
        self, name: str, data: object, *, expected_version: int | None = None, request: uuid.UUID | None = None
    ) -> Published:
        """Appends a table's rows to a dataset that exists.

        Columns are matched by name. Narrower types are widened if no value can change.

        Args:
            name: The dataset.
            data: The rows, in any form that `store` takes.
            expected_version: Refuses the write unless the dataset is at this version.
            request: As in `store`.

        Returns:
            The version that was made; its `rows` are those of the whole dataset.

        Raises:
            DatasetNotFound: There is no such dataset.
            SchemaMismatch: The rows don't fit it; the message names each difference.
            InvalidInput: See `store`, and also for the other errors.
        """
        return drive(_store.append(self._core, name, data, expected_version, request))

    def store_batch(self, tables: Mapping[str, object]) -> dict[str, Published]:
        """Stores several tables in one call, each as `store` does. One that fails does not undo another.

        Args:
            tables: The tables by the names of their datasets.

        Returns:
            The versions that were made, by name.

        Raises:
            BatchFailed: Some tables were not stored; it has the error of each, and the versions of the others.
            InvalidInput: A table has a column that Arrow can't carry. Nothing was sent.
            Unavailable: See `store`.
        """
        return drive(_store.store_batch(self._core, tables))

    def delete(
        self,
        name: str,
        *,
        expected_version: int | None = None,
        purge: bool = False,
        request: uuid.UUID | None = None,
    ) -> Published:
        """Deletes a dataset. Its versions stay readable until retention removes them.

        Args:
            name: The dataset.
            expected_version: Refuses the deletion unless the dataset is at this version.
            purge: Removes its data at once: older versions can't be read any more. If the dataset is deleted already,
                what is left of it is removed.
            request: As in `store`.

        Returns:
            The version that says that the dataset is deleted.

        Raises:
            DatasetNotFound: There is no such dataset.
            Conflict: It is at another version.
        """
        return drive(_datasets.delete(self._core, name, expected_version, purge, request))

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

    def _own(self, info: HandleInfo) -> Handle:
        """A handle that is dropped with its object."""
        return Handle(self, info, is_ours=True)

    def close(self) -> None:
        """Closes the connections and ends all calls. A closed client can't be used again."""
        self._dropper.close()
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
