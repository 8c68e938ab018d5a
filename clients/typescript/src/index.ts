export type { AtOptions } from "./at.js";
export type { SignalOptions } from "./client.js";
export { PolarwayClient } from "./client.js";
export type { DeleteOptions, DescribeOptions } from "./datasets.js";
export type { Code, ErrorDetails } from "./errors.js";
export { BatchError, PolarwayError } from "./errors.js";
export { Fluent, GroupBy } from "./fluent.js";
export type { Reason } from "./generated/reasons.js";
export { Handle, LazyQuery } from "./handle.js";
export type { HandleInfo, QueryHandleOptions } from "./handles.js";
export type { LoadOptions } from "./load.js";
export type {
  CacheStats,
  Dataset,
  DatasetVersion,
  Description,
  Peer,
  PeerState,
  Phase,
  Published,
  QuerySummary,
  QueryTimes,
  RunningQuery,
  ServerInfo,
  Version,
  VersionKind,
} from "./model.js";
export type { Parameters } from "./parameters.js";
export { PreciseDate } from "./preciseDate.js";
export type { EngineChoice, QueryOptions } from "./query.js";
export { freshRequest } from "./requestId.js";
export type { ClientOptions, TlsOptions } from "./settings.js";
export type { JoinHow, Texts } from "./sql/steps.js";
export type { AppendOptions, StoreOptions } from "./store.js";
export { QueryStream, TableStream } from "./streams.js";
export type { Columns, ColumnValues } from "./tables/fromColumns.js";
export type { BatchesOfTable, TableSource } from "./tables/source.js";
export { PolarwayTable } from "./tables/table.js";
