"""What calls give, apart from tables."""

from __future__ import annotations

import dataclasses
import enum
from datetime import UTC, datetime, timedelta
from typing import Any, Final, Literal, cast

import polars as pl
import pyarrow as pa

from polarway._generated import messages
from polarway._incoming import incoming
from polarway.errors import ProtocolError

EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

VersionKind = Literal["adopted", "overwrite", "append", "delete", "unknown"]
"""What made a version: Parquet files of somebody else, a replaced table, appended rows, a deletion, or what only a
later version of Polarway knows."""

Phase = Literal["waiting", "checking", "resolving", "planning", "running", "unknown"]
"""What a query is at: it waits for others, its text is checked, its names are looked up, it is planned, it runs."""

Engine = Literal["local", "distributed", "unknown"]
"""Which workers ran a query: the one that was asked, or several of them together."""

PeerState = Literal["ready", "draining", "other", "unreachable", "unknown"]
"""Whether a worker takes part in the queries of others: it does, it is about to end, it has another version or another
storage, or it did not answer."""


@dataclasses.dataclass(frozen=True, slots=True)
class Dataset:
    """A dataset with its newest version.

    Attributes:
        name: Its name.
        version: The number of its newest version; 0 for Parquet files that Polarway did not write.
        rows: Its rows.
        bytes: The size of its files.
        time: When its newest version was made, in UTC.
        error: Why its newest version can't be read, if that is so. Then the numbers are zeros.
    """

    name: str
    version: int
    rows: int
    bytes: int
    time: datetime
    error: str | None

    @classmethod
    def of(cls, message: messages.DatasetSummary) -> Dataset:
        """From the protocol's message."""
        time = from_us(message.time_us)
        return cls(message.name, message.version, message.rows, message.bytes, time, message.error or None)


class WithColumns:
    """What has columns, which are known as Arrow has them."""

    __slots__ = ()

    arrow_schema: pa.Schema

    @property
    def schema(self) -> pl.Schema:
        """Its columns, as polars has them."""
        return schema_in_polars(self.arrow_schema)

    @property
    def columns(self) -> list[str]:
        """The names of its columns."""
        return list(self.arrow_schema.names)

    def __repr__(self) -> str:
        # The text of an Arrow schema has several lines.
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(cast(Any, self))}
        del values["arrow_schema"]
        values["columns"] = self.columns
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in values.items())})"


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class Description(WithColumns):
    """A version of a dataset, described.

    Attributes:
        name: The dataset.
        version: The number of the version; 0 for Parquet files that Polarway did not write.
        time: When it was made, in UTC.
        arrow_schema: Its columns, as they are stored; `schema` has them as polars does.
        rows: Its rows.
        files: How many files it has.
        bytes: The size of its files.
        arrow_bytes: Its size in memory as Arrow, in bytes; an estimate for version 0.
    """

    name: str
    version: int
    time: datetime
    arrow_schema: pa.Schema
    rows: int
    files: int
    bytes: int
    arrow_bytes: int

    @classmethod
    def of(cls, message: messages.Dataset) -> Description:
        """From the protocol's message."""
        try:
            schema = pa.ipc.open_stream(pa.py_buffer(message.schema_ipc)).schema
        except (pa.ArrowException, OSError) as error:
            raise ProtocolError(f"the server described {message.name!r} with a schema that is none: {error}") from None
        return cls(
            message.name,
            message.version,
            from_us(message.time_us),
            schema,
            message.rows,
            message.files,
            message.bytes,
            message.arrow_bytes,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class Version:
    """A version in the history of a dataset.

    Attributes:
        version: Its number, from 1; 0 for Parquet files that Polarway did not write.
        kind: What made it.
        rows: Its rows.
        bytes: The size of its files.
        files: How many files it has.
        time: When it was made, in UTC.
        vacuumed: Whether retention has removed its data: it can't be read any more.
    """

    version: int
    kind: VersionKind
    rows: int
    bytes: int
    files: int
    time: datetime
    vacuumed: bool

    @classmethod
    def of(cls, message: messages.Version) -> Version:
        """From the protocol's message."""
        kind = cast(VersionKind, _name(message.kind))
        time = from_us(message.time_us)
        return cls(message.version, kind, message.rows, message.bytes, message.files, time, message.vacuumed)


@dataclasses.dataclass(frozen=True, slots=True)
class Published:
    """A version that a write made.

    Attributes:
        name: The dataset.
        version: The number of the version, from 1.
        rows: The rows of that version, for an append with the rows before it.
        bytes: The size of its files.
        time: When it was made, in UTC.
        was_retry: Whether an earlier try of the same call made it.
    """

    name: str
    version: int
    rows: int
    bytes: int
    time: datetime
    was_retry: bool

    @classmethod
    def of(cls, message: messages.PublishedVersion) -> Published:
        """From the protocol's message."""
        time = from_us(message.time_us)
        return cls(message.name, message.version, message.rows, message.bytes, time, message.was_retry)


@dataclasses.dataclass(frozen=True, slots=True)
class DatasetVersion:
    """A version of a dataset.

    Attributes:
        name: The dataset.
        version: The number of the version; 0 for Parquet files that Polarway did not write.
    """

    name: str
    version: int


@dataclasses.dataclass(frozen=True, slots=True)
class QueryTimes:
    """How long a query spent in each phase.

    Attributes:
        waiting: Waiting for other queries to end.
        checking: Parsing and checking the text; next to nothing for one that was seen before.
        resolving: Looking names up and pinning their versions.
        planning: Planning.
        running: From the start of execution until the last row was sent: a slow reader counts.
    """

    waiting: timedelta
    checking: timedelta
    resolving: timedelta
    planning: timedelta
    running: timedelta

    @property
    def total(self) -> timedelta:
        """The time of all phases together."""
        return self.waiting + self.checking + self.resolving + self.planning + self.running

    @classmethod
    def of(cls, message: messages.QueryTimes) -> QueryTimes:
        """From the protocol's message."""
        times = (message.waiting_us, message.checking_us, message.resolving_us, message.planning_us, message.running_us)
        return cls(*map(duration, times))


@dataclasses.dataclass(frozen=True, slots=True)
class QuerySummary:
    """What a query did.

    Attributes:
        rows: The rows of its result.
        bytes: The bytes of its result in Arrow's form.
        datasets: The datasets that it read, each once for each version, by name and version.
        times: How long it spent in each phase.
        engine: Which workers ran it: `local` is the one that was asked, `distributed` several of them together.
        workers: How many workers took part.
        stayed_local: Why only one did, if the query was large enough for several.
    """

    rows: int
    bytes: int
    datasets: tuple[DatasetVersion, ...]
    times: QueryTimes
    engine: Engine = "local"
    workers: int = 1
    stayed_local: str | None = None

    @classmethod
    def of(cls, message: messages.QuerySummary) -> QuerySummary:
        """From the protocol's message."""
        datasets = tuple(DatasetVersion(dataset.name, dataset.version) for dataset in message.datasets)
        times = QueryTimes.of(message.times or messages.QueryTimes())
        used = message.engine or messages.EngineUsed(messages.Engine.LOCAL, 1)
        engine = cast(Engine, _name(used.engine))
        return cls(message.rows, message.bytes, datasets, times, engine, used.workers, used.stayed_local or None)


@dataclasses.dataclass(frozen=True, slots=True)
class RunningQuery:
    """A query that waits or runs.

    Attributes:
        query_id: The id to cancel it by.
        sql: Its text.
        phase: What it is at.
        started: When it came, in UTC.
        elapsed: The time since then.
        rows: The rows of its result until now.
        bytes: The bytes of those rows in Arrow's form.
    """

    query_id: str
    sql: str
    phase: Phase
    started: datetime
    elapsed: timedelta
    rows: int
    bytes: int

    @classmethod
    def of(cls, message: messages.RunningQuery) -> RunningQuery:
        """From the protocol's message."""
        phase = cast(Phase, _name(message.phase))
        started, elapsed = from_us(message.started_us), duration(message.elapsed_us)
        return cls(message.query_id, message.sql, phase, started, elapsed, message.rows, message.bytes)


@dataclasses.dataclass(frozen=True, slots=True)
class ServerInfo:
    """The worker that answered.

    Attributes:
        server_version: The version of the server program, such as `0.1.0`.
        protocol_revision: The revision of the protocol that it was built with.
        duckdb_version: The version of DuckDB that runs the queries, such as `1.5.6`.
        worker_id: Tells the workers behind a load balancer apart. New at each start.
        started: When it was started, in UTC.
        peers: The workers that run queries together with it, itself among them, as it last found them. Empty if it runs
            all queries alone, or if the caller may not see them.
    """

    server_version: str
    protocol_revision: int
    duckdb_version: str
    worker_id: str
    started: datetime
    peers: tuple[Peer, ...]

    @classmethod
    def of(cls, message: messages.GetServerInfoResponse) -> ServerInfo:
        """From the protocol's message."""
        started = from_us(message.started_us)
        revision, peers = message.protocol_revision, tuple(map(Peer.of, message.peers))
        return cls(message.server_version, revision, message.duckdb_version, message.worker_id, started, peers)


@dataclasses.dataclass(frozen=True, slots=True)
class Peer:
    """A worker that runs queries together with others.

    Attributes:
        address: Where the other workers call it: a host and a port.
        state: Whether it takes part in queries.
        reason: Why not, if it does not.
        queries: The queries of several workers that it takes part in.
        is_own: Whether it is the worker that answered.
    """

    address: str
    state: PeerState
    reason: str | None
    queries: int
    is_own: bool

    @classmethod
    def of(cls, message: messages.Peer) -> Peer:
        """From the protocol's message."""
        state = cast(PeerState, _name(message.state))
        return cls(message.address, state, message.reason or None, message.queries, message.is_own)


def schema_in_polars(schema: Any) -> pl.Schema:
    """The columns of a schema of Arrow, as polars has them."""
    frame: pl.DataFrame = incoming("polars", schema).joined([])
    return frame.schema


def from_us(time_us: int) -> datetime:
    """A time that came as microseconds since 1970-01-01 UTC.

    Raises:
        ProtocolError: No calendar has it.
    """
    try:
        return EPOCH + timedelta(microseconds=time_us)
    except OverflowError:
        raise ProtocolError(f"the server sent a time that no calendar has: {time_us} µs since 1970") from None


def duration(time_us: int) -> timedelta:
    """A duration that came as microseconds.

    Raises:
        ProtocolError: It is longer than a `timedelta` can be.
    """
    try:
        return timedelta(microseconds=time_us)
    except OverflowError:
        raise ProtocolError(f"the server sent a duration that is too long: {time_us} µs") from None


def _name(value: enum.IntEnum | int) -> str:
    """An enum's value as this package has it. One that was not said, or that a later version has, is unknown."""
    return value.name.lower() if isinstance(value, enum.IntEnum) and value else "unknown"
