// What calls give, apart from tables.

import type { Schema } from "apache-arrow";
import { protocolError } from "./failure.js";
import type {
  Dataset as DatasetMessage,
  DatasetSummary,
  Version as VersionMessage,
} from "./generated/polarway/v1/datasets_pb.js";
import { VersionKind as VersionKindMessage } from "./generated/polarway/v1/datasets_pb.js";
import type {
  RunningQuery as RunningMessage,
  QuerySummary as SummaryMessage,
} from "./generated/polarway/v1/query_pb.js";
import { Engine, QueryPhase } from "./generated/polarway/v1/query_pb.js";
import type {
  GetCacheStatsResponse,
  GetServerInfoResponse,
  Peer as PeerMessage,
} from "./generated/polarway/v1/server_pb.js";
import { PeerState as PeerStateMessage } from "./generated/polarway/v1/server_pb.js";
import type { PublishedVersion } from "./generated/polarway/v1/table_pb.js";
import { PreciseDate } from "./preciseDate.js";
import { schemaOf } from "./tables/decode.js";

/** A dataset with its newest version. */
export interface Dataset {
  readonly name: string;
  /** The number of its newest version; 0 for Parquet files that Polarway did not write. */
  readonly version: number;
  readonly rows: number;
  /** The size of its files. */
  readonly bytes: number;
  /** When its newest version was made. */
  readonly time: PreciseDate;
  /** Why its newest version can't be read, if that is so. Then the numbers are zeros. */
  readonly error: string | undefined;
}

/** A version of a dataset, described. */
export interface Description {
  readonly name: string;
  /** The number of the version; 0 for Parquet files that Polarway did not write. */
  readonly version: number;
  /** When it was made. */
  readonly time: PreciseDate;
  /** Its columns, as they are loaded. */
  readonly schema: Schema;
  readonly rows: number;
  /** How many files it has. */
  readonly files: number;
  /** The size of its files. */
  readonly bytes: number;
  /** Its size in memory as Arrow, in bytes; an estimate for version 0. */
  readonly arrowBytes: number;
}

/**
 * What made a version: Parquet files of somebody else, a replaced table, appended rows, a deletion, or what only a
 * later version of Polarway knows.
 */
export type VersionKind = "adopted" | "overwrite" | "append" | "delete" | "unknown";

/** A version in the history of a dataset. */
export interface Version {
  /** Its number, from 1; 0 for Parquet files that Polarway did not write. */
  readonly version: number;
  readonly kind: VersionKind;
  readonly rows: number;
  /** The size of its files. */
  readonly bytes: number;
  /** How many files it has. */
  readonly files: number;
  /** When it was made. */
  readonly time: PreciseDate;
  /** Whether retention has removed its data: it can't be read any more. */
  readonly vacuumed: boolean;
}

/** A version that a write made. */
export interface Published {
  /** The dataset. */
  readonly name: string;
  /** The number of the version, from 1. */
  readonly version: number;
  /** The rows of that version, for an append with the rows before it. */
  readonly rows: number;
  /** The size of its files. */
  readonly bytes: number;
  /** When it was made. */
  readonly time: PreciseDate;
  /** Whether an earlier try of the same call made it. */
  readonly wasRetry: boolean;
}

/** A version of a dataset. */
export interface DatasetVersion {
  readonly name: string;
  /** The number of the version; 0 for Parquet files that Polarway did not write. */
  readonly version: number;
}

/** How long a query spent in each phase, in milliseconds. */
export interface QueryTimes {
  /** Waiting for other queries to end. */
  readonly waiting: number;
  /** Parsing and checking the text; next to nothing for one that was seen before. */
  readonly checking: number;
  /** Looking names up and pinning their versions. */
  readonly resolving: number;
  readonly planning: number;
  /** From the start of execution until the last row was sent: a slow reader counts. */
  readonly running: number;
}

/** What a query did. */
export interface QuerySummary {
  /** The rows of its result. */
  readonly rows: number;
  /** The bytes of its result in Arrow's form. */
  readonly bytes: number;
  /** The datasets that it read, each once for each version, by name and version. */
  readonly datasets: readonly DatasetVersion[];
  readonly times: QueryTimes;
  /** Which workers ran it: the one that was asked, several of them together, or what only a later version knows. */
  readonly engine: "local" | "distributed" | "unknown";
  /** How many workers took part. */
  readonly workers: number;
  /** Why only one did, if the query was large enough for several. */
  readonly stayedLocal: string | undefined;
}

/** What a query is at: it waits for others, its text is checked, its names are looked up, it is planned, it runs. */
export type Phase = "waiting" | "checking" | "resolving" | "planning" | "running" | "unknown";

/** A query that waits or runs. */
export interface RunningQuery {
  /** The id to cancel it by. */
  readonly queryId: string;
  /** Its text. */
  readonly sql: string;
  readonly phase: Phase;
  /** When it came. */
  readonly started: PreciseDate;
  /** The milliseconds since then. */
  readonly elapsed: number;
  /** The rows of its result until now. */
  readonly rows: number;
  /** The bytes of those rows in Arrow's form. */
  readonly bytes: number;
}

/** The worker that answered. */
export interface ServerInfo {
  /** The version of the server program, such as `0.1.0`. */
  readonly serverVersion: string;
  /** The revision of the protocol that it was built with. */
  readonly protocolRevision: number;
  /** The version of DuckDB that runs the queries, such as `1.5.6`. */
  readonly duckdbVersion: string;
  /** Tells the workers behind a load balancer apart. New at each start. */
  readonly workerId: string;
  /** When it was started. */
  readonly started: PreciseDate;
  /**
   * The workers that run queries together with it, itself among them, as it last found them. Empty if it runs all queries
   * alone, or if the caller may not see them.
   */
  readonly peers: readonly Peer[];
}

/**
 * Whether a worker takes part in the queries of others: it does, it is about to end, it has another version or another
 * storage, or it did not answer.
 */
export type PeerState = "ready" | "draining" | "other" | "unreachable" | "unknown";

/** A worker that runs queries together with others. */
export interface Peer {
  /** Where the other workers call it: a host and a port. */
  readonly address: string;
  /** Whether it takes part in queries. */
  readonly state: PeerState;
  /** Why not, if it does not. */
  readonly reason: string | undefined;
  /** The queries of several workers that it takes part in. */
  readonly queries: number;
  /** Whether it is the worker that answered. */
  readonly isOwn: boolean;
}

/** How the cache of a worker is doing. */
export interface CacheStats {
  /** Look-ups since its start that found the table, or found it on its way. */
  readonly hits: number;
  /** Look-ups since its start that did not. */
  readonly misses: number;
  /** The part of all look-ups that were hits, from 0 to 1; 0 before the first. */
  readonly hitRate: number;
  /** Tables in the cache. */
  readonly tables: number;
  /** What they take. */
  readonly bytes: number;
  /** What they may take. 0: the cache is off. */
  readonly capacityBytes: number;
  /** Tables that had to go to make room. */
  readonly evictions: number;
}

/** A number that came as 64 bits. */
export function count(value: bigint): number {
  const number = Number(value);
  if (!Number.isSafeInteger(number)) {
    throw protocolError(`the server sent a count that no number of JavaScript can hold: ${value}`);
  }
  return number;
}

/** A time that came as microseconds since 1970-01-01 UTC. */
export function timeOf(timeUs: bigint): PreciseDate {
  const time = new PreciseDate(timeUs * 1_000n);
  if (Number.isNaN(time.getTime())) {
    throw protocolError(`the server sent a time that no calendar has: ${timeUs} µs since 1970`);
  }
  return time;
}

/** The milliseconds of a duration that came as microseconds. */
export function millisecondsOf(timeUs: bigint): number {
  return Number(timeUs) / 1_000;
}

/** What messages about a version that was written have in common. */
function writtenOf(message: Pick<PublishedVersion, "name" | "version" | "rows" | "bytes" | "timeUs">) {
  return {
    name: message.name,
    version: count(message.version),
    rows: count(message.rows),
    bytes: count(message.bytes),
    time: timeOf(message.timeUs),
  };
}

/** From the message of a list of datasets. */
export function datasetOf(message: DatasetSummary): Dataset {
  return {
    ...writtenOf(message),
    error: message.error === "" ? undefined : message.error,
  };
}

/** From the message of a described dataset. */
export function descriptionOf(message: DatasetMessage): Description {
  return {
    name: message.name,
    version: count(message.version),
    time: timeOf(message.timeUs),
    schema: schemaOf(message.schemaIpc),
    rows: count(message.rows),
    files: count(message.files),
    bytes: count(message.bytes),
    arrowBytes: count(message.arrowBytes),
  };
}

const VERSION_KINDS: Partial<Record<VersionKindMessage, VersionKind>> = {
  [VersionKindMessage.ADOPTED]: "adopted",
  [VersionKindMessage.OVERWRITE]: "overwrite",
  [VersionKindMessage.APPEND]: "append",
  [VersionKindMessage.DELETE]: "delete",
};

/** From the message of a list of versions. */
export function versionOf(message: VersionMessage): Version {
  return {
    version: count(message.version),
    kind: VERSION_KINDS[message.kind] ?? "unknown",
    rows: count(message.rows),
    bytes: count(message.bytes),
    files: count(message.files),
    time: timeOf(message.timeUs),
    vacuumed: message.vacuumed,
  };
}

/** From the message of a write. */
export function publishedOf(message: PublishedVersion): Published {
  return {
    ...writtenOf(message),
    wasRetry: message.wasRetry,
  };
}

const ENGINES: Partial<Record<Engine, QuerySummary["engine"]>> = {
  [Engine.LOCAL]: "local",
  [Engine.DISTRIBUTED]: "distributed",
};

/** From the message at the end of a query. */
export function summaryOf(message: SummaryMessage): QuerySummary {
  const times = message.times;
  const used = message.engine ?? { engine: Engine.LOCAL, workers: 1, stayedLocal: "" };
  return {
    rows: count(message.rows),
    bytes: count(message.bytes),
    datasets: message.datasets.map(({ name, version }) => ({ name, version: count(version) })),
    times: {
      waiting: millisecondsOf(times?.waitingUs ?? 0n),
      checking: millisecondsOf(times?.checkingUs ?? 0n),
      resolving: millisecondsOf(times?.resolvingUs ?? 0n),
      planning: millisecondsOf(times?.planningUs ?? 0n),
      running: millisecondsOf(times?.runningUs ?? 0n),
    },
    engine: ENGINES[used.engine] ?? "unknown",
    workers: used.workers,
    stayedLocal: used.stayedLocal === "" ? undefined : used.stayedLocal,
  };
}

const PHASES: Partial<Record<QueryPhase, Phase>> = {
  [QueryPhase.WAITING]: "waiting",
  [QueryPhase.CHECKING]: "checking",
  [QueryPhase.RESOLVING]: "resolving",
  [QueryPhase.PLANNING]: "planning",
  [QueryPhase.RUNNING]: "running",
};

/** From the message of a list of queries. */
export function runningQueryOf(message: RunningMessage): RunningQuery {
  return {
    queryId: message.queryId,
    sql: message.sql,
    phase: PHASES[message.phase] ?? "unknown",
    started: timeOf(message.startedUs),
    elapsed: millisecondsOf(message.elapsedUs),
    rows: count(message.rows),
    bytes: count(message.bytes),
  };
}

/** From the message of a worker. */
export function serverInfoOf(message: GetServerInfoResponse): ServerInfo {
  return {
    serverVersion: message.serverVersion,
    protocolRevision: message.protocolRevision,
    duckdbVersion: message.duckdbVersion,
    workerId: message.workerId,
    started: timeOf(message.startedUs),
    peers: message.peers.map(peerOf),
  };
}

const PEER_STATES: Partial<Record<PeerStateMessage, PeerState>> = {
  [PeerStateMessage.READY]: "ready",
  [PeerStateMessage.DRAINING]: "draining",
  [PeerStateMessage.OTHER]: "other",
  [PeerStateMessage.UNREACHABLE]: "unreachable",
};

function peerOf(message: PeerMessage): Peer {
  return {
    address: message.address,
    state: PEER_STATES[message.state] ?? "unknown",
    reason: message.reason === "" ? undefined : message.reason,
    queries: count(message.queries),
    isOwn: message.isOwn,
  };
}

/** From the message of a worker. */
export function cacheStatsOf(message: GetCacheStatsResponse): CacheStats {
  return {
    hits: count(message.hits),
    misses: count(message.misses),
    hitRate: message.hitRate,
    tables: count(message.tables),
    bytes: count(message.bytes),
    capacityBytes: count(message.capacityBytes),
    evictions: count(message.evictions),
  };
}
