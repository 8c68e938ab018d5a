// The client.

import { tableOf } from "./batches.js";
import { Core } from "./core.js";
import type { DeleteOptions, DescribeOptions } from "./datasets.js";
import * as datasets from "./datasets.js";
import { Dropper } from "./dropping.js";
import type { HandleOwner } from "./handle.js";
import { Handle } from "./handle.js";
import type { HandleInfo, QueryHandleOptions } from "./handles.js";
import * as handles from "./handles.js";
import { Http2Transport } from "./http2/transport.js";
import type { LoadOptions } from "./load.js";
import { Loading } from "./load.js";
import type { CacheStats, Dataset, Description, Published, RunningQuery, ServerInfo, Version } from "./model.js";
import type { QueryOptions } from "./query.js";
import { query } from "./query.js";
import type { ClientOptions } from "./settings.js";
import { checkNames, settingsOf, urlsOf } from "./settings.js";
import type { AppendOptions, StoreOptions } from "./store.js";
import * as store from "./store.js";
import { QueryStream, TableStream } from "./streams.js";
import type { TableSource } from "./tables/source.js";
import type { PolarwayTable } from "./tables/table.js";
import * as workers from "./workers.js";

/** What every call takes. */
export interface SignalOptions {
  /** Ends the call when it is aborted: the call then rejects with its reason. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * A client of one Polarway server, or of several workers over the same tables.
 *
 * It connects with its first call, and any number of calls may run at the same time. Calls are made again after
 * failures that may pass, such as a connection that broke, until the timeout; a write is never carried out twice.
 * Failures are `PolarwayError`.
 *
 * A program may end while a client is open, unless a call runs. `close`, or `await using`, closes the connections.
 */
export class PolarwayClient implements AsyncDisposable {
  readonly #core: Core;
  readonly #dropper: Dropper<Handle>;
  readonly #owner: HandleOwner;
  readonly #kept = async (sql: string, options: QueryHandleOptions): Promise<Handle> => this.queryHandle(sql, options);

  /** A client with these options; without any, of the servers of `POLARWAY_URL`, or of this machine. */
  constructor(options: ClientOptions = {}) {
    const settings = settingsOf(options);
    const core = new Core(settings, new Http2Transport(settings.tls));
    const dropper = new Dropper<Handle>((handleId) => handles.drop(core, handleId, undefined));
    this.#core = core;
    this.#dropper = dropper;
    this.#owner = {
      client: this,
      streamOf: (handle, load) => new TableStream(core, handle.id, load, handle),
      watch: (handle) => dropper.watch(handle, handle.id),
      forget: (handle) => dropper.forget(handle),
    };
  }

  /** The servers that this client knows, such as `["http://localhost:50052"]`. */
  get urls(): readonly string[] {
    return urlsOf(this.#core.settings);
  }

  /** Checks that the server serves. It needs no token. */
  async healthCheck(options: SignalOptions = {}): Promise<"OK"> {
    return workers.healthCheck(this.#core, signalOf(options));
  }

  /** Tells which worker answers: its version, the protocol's, DuckDB's. */
  async serverInfo(options: SignalOptions = {}): Promise<ServerInfo> {
    return workers.serverInfo(this.#core, signalOf(options));
  }

  /** Tells how the cache of the worker that answers is doing. Each worker has its own. */
  async cacheStats(options: SignalOptions = {}): Promise<CacheStats> {
    return workers.cacheStats(this.#core, signalOf(options));
  }

  /** Loads a dataset's newest version or another one, or a handle by its id; all of it, or some columns and rows. */
  async load(name: string, options: LoadOptions = {}): Promise<PolarwayTable> {
    return tableOf(new Loading(this.#core, name, options));
  }

  /**
   * Loads a table in pieces, in the order of its rows. The memory of a piece is freed when the program has dropped it.
   *
   *     for await (const piece of client.loadStream("flights")) {
   *       console.log(piece.numRows);
   *     }
   */
  loadStream(name: string, options: LoadOptions = {}): TableStream {
    return new TableStream(this.#core, name, options);
  }

  /**
   * Runs a SELECT in DuckDB's dialect, or EXPLAIN, DESCRIBE, SUMMARIZE or SHOW TABLES. Datasets are tables under their
   * names.
   *
   *     await client.query("SELECT * FROM flights WHERE carrier = $carrier", { parameters: { carrier: "UA" } });
   */
  async query(sql: string, options: QueryOptions = {}): Promise<PolarwayTable> {
    if (options.resumable !== true) {
      return query(this.#core, sql, options);
    }
    return this.queryStream(sql, options).readAll();
  }

  /** Runs a SELECT and gives its rows in pieces, while the query makes them. To leave the loop stops the query. */
  queryStream(sql: string, options: QueryOptions = {}): QueryStream {
    return new QueryStream(this.#core, sql, options, this.#kept);
  }

  /**
   * Runs a SELECT and keeps its result on the server, where it can be loaded, queried and used by its id.
   *
   *     await using late = await client.queryHandle("SELECT * FROM flights WHERE dep_delay > 60");
   */
  async queryHandle(sql: string, options: QueryHandleOptions = {}): Promise<Handle> {
    return new Handle(this.#owner, await handles.create(this.#core, sql, options), true);
  }

  /** A handle that exists, by its id. It belongs to somebody else, and is kept. */
  async handle(handleId: string, options: SignalOptions = {}): Promise<Handle> {
    return new Handle(this.#owner, await handles.find(this.#core, handleId, signalOf(options)), false);
  }

  /** Lists the handles that exist, by id. With the memory store they are those of the worker that answers. */
  async handles(options: SignalOptions = {}): Promise<HandleInfo[]> {
    return handles.findAll(this.#core, signalOf(options));
  }

  /** Extends a handle: from now on it is kept for so many milliseconds without being used, or for as long as before. */
  async extendHandle(handleId: string, ttl?: number, options: SignalOptions = {}): Promise<HandleInfo> {
    return handles.extend(this.#core, handleId, ttl, signalOf(options));
  }

  /** Drops a handle before it expires. Loads that run go on. A handle that was dropped before is no error. */
  async dropHandle(handleId: string, options: SignalOptions = {}): Promise<void> {
    await handles.drop(this.#core, handleId, signalOf(options));
  }

  /** Lists all datasets with their newest versions, by name. */
  async datasets(options: SignalOptions = {}): Promise<Dataset[]> {
    return datasets.datasets(this.#core, signalOf(options));
  }

  /** Describes a dataset: its columns, rows and size. */
  async describe(name: string, options: DescribeOptions = {}): Promise<Description> {
    return datasets.describe(this.#core, name, options);
  }

  /** Lists all versions that a dataset ever had, oldest first; also those whose data is removed. */
  async versions(name: string, options: SignalOptions = {}): Promise<Version[]> {
    return datasets.versions(this.#core, name, signalOf(options));
  }

  /**
   * Stores a table under a name, in place of the dataset's rows. It is on the server's stable storage when this
   * resolves. The rows that it replaces stay readable as an older version.
   *
   *     await client.store("trades", { symbol: ["BTC", "ETH", "SOL"], price: [50000, 3000, 100] });
   */
  async store(name: string, table: TableSource, options: StoreOptions = {}): Promise<Published> {
    return store.store(this.#core, name, table, options);
  }

  /** Appends a table's rows to a dataset that exists. Columns are matched by name, and narrower types are widened. */
  async append(name: string, table: TableSource, options: AppendOptions = {}): Promise<Published> {
    return store.append(this.#core, name, table, options);
  }

  /**
   * Stores several tables in one call, each as `store` does, by the names of their datasets. One that fails does not
   * undo another: then the call rejects with a `BatchError`, which has the error of each and the versions of the
   * others.
   */
  async storeBatch(
    tables: Readonly<Record<string, TableSource>>,
    options: SignalOptions = {},
  ): Promise<Record<string, Published>> {
    return store.storeBatch(this.#core, tables, options);
  }

  /** Deletes a dataset. Its versions stay readable until retention removes them. */
  async delete(name: string, options: DeleteOptions = {}): Promise<Published> {
    return datasets.deleteDataset(this.#core, name, options);
  }

  /** Lists the queries that wait or run, the oldest first, on every worker that this client knows. */
  async queries(options: SignalOptions = {}): Promise<RunningQuery[]> {
    return workers.queries(this.#core, signalOf(options));
  }

  /** Cancels a query by its id, which `queries` lists. Its caller gets an error with the reason `CANCELLED`. */
  async cancel(queryId: string, options: SignalOptions = {}): Promise<void> {
    return workers.cancel(this.#core, queryId, signalOf(options));
  }

  /** Closes the connections and ends all calls. A closed client can't be used again. */
  async close(): Promise<void> {
    this.#dropper.close();
    await this.#core.transport.close();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `PolarwayClient { ${this.urls.join(", ")} }`;
  }
}

function signalOf(options: SignalOptions): AbortSignal | undefined {
  checkNames("a call", options, ["signal"]);
  return options.signal;
}
