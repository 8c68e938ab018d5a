// Results that stay on the server.

import type { Schema } from "apache-arrow";
import type { PolarwayClient, SignalOptions } from "./client.js";
import { Fluent } from "./fluent.js";
import type { HandleInfo, QueryHandleOptions } from "./handles.js";
import type { LoadOptions } from "./load.js";
import type { PreciseDate } from "./preciseDate.js";
import type { QueryOptions } from "./query.js";
import type { Source, Steps } from "./sql/steps.js";
import { Steps as AllSteps, handleSource } from "./sql/steps.js";
import type { TableStream } from "./streams.js";
import type { PolarwayTable } from "./tables/table.js";

/** What a handle needs of its client. @internal */
export interface HandleOwner {
  readonly client: PolarwayClient;
  readonly streamOf: (handle: Handle, options: LoadOptions) => TableStream;
  readonly watch: (handle: Handle) => void;
  readonly forget: (handle: Handle) => void;
}

/**
 * A query's result that is kept on the server. It can be loaded, queried, and named in SQL by its id.
 *
 *     const late = await client.queryHandle("SELECT * FROM flights WHERE dep_delay > 60");
 *     const byCarrier = await late.groupBy("carrier").agg("count(*) AS n");
 *     console.log(await client.query(`SELECT max(n) FROM ${byCarrier.id}`));
 *
 * It never changes. Its fluent methods run on the server at once, and keep their result there as another handle; `lazy`
 * does several steps in one query.
 *
 * The server keeps it until it was not used for its time to live, `ttl`. If `queryHandle` or a method of another handle
 * has made it, it is dropped on the server at the end of an `await using` block, or some time after nobody has this
 * object any more; `keep` prevents that. A handle from `client.handle` belongs to somebody else, and is kept.
 */
export class Handle extends Fluent<Promise<Handle>> implements AsyncDisposable {
  readonly #owner: HandleOwner;
  #info: HandleInfo;
  #isOurs: boolean;

  /** @internal */
  constructor(owner: HandleOwner, info: HandleInfo, isOurs: boolean) {
    super();
    this.#owner = owner;
    this.#info = info;
    this.#isOurs = isOurs;
    if (isOurs) {
      owner.watch(this);
    }
  }

  /** Its id, which is its name in SQL and for `load`. Whoever knows it may use the handle. */
  get id(): string {
    return this.#info.id;
  }

  /** Its columns. */
  get schema(): Schema {
    return this.#info.schema;
  }

  /** The names of its columns. */
  get columns(): string[] {
    return this.schema.fields.map(({ name }) => name);
  }

  /** Its rows. */
  get rows(): number {
    return this.#info.rows;
  }

  /** About the size of its rows in memory as Arrow, in bytes. */
  get bytes(): number {
    return this.#info.bytes;
  }

  /** When it was made. */
  get created(): PreciseDate {
    return this.#info.created;
  }

  /** When it expires unless it is used before, as the server last said. Each use since has extended it. */
  get expires(): PreciseDate {
    return this.#info.expires;
  }

  /** How long it is kept without being used, in milliseconds. */
  get ttl(): number {
    return this.#info.ttl;
  }

  /** Steps that run as one query, when their rows are requested. */
  lazy(): LazyQuery {
    return new LazyQuery(this.#owner.client, this.steps());
  }

  /** Loads its rows, or some of its columns and rows. */
  async load(options: LoadOptions = {}): Promise<PolarwayTable> {
    return this.loadStream(options).readAll();
  }

  /** Loads its rows in pieces, in order. The stream keeps the handle from being dropped. */
  loadStream(options: LoadOptions = {}): TableStream {
    return this.#owner.streamOf(this, options);
  }

  /** Extends it: from now on it is kept for so many milliseconds without being used, or for as long as before. */
  async extend(ttl?: number, options: SignalOptions = {}): Promise<void> {
    this.#info = await this.#owner.client.extendHandle(this.id, ttl, options);
  }

  /** Drops it on the server, whoever made it. Loads that run go on. A handle that was dropped before is no error. */
  async drop(options: SignalOptions = {}): Promise<void> {
    await this.#owner.client.dropHandle(this.id, options);
    this.keep();
  }

  /** Keeps the server's handle until it expires, also when this object is gone. */
  keep(): void {
    this.#isOurs = false;
    this.#owner.forget(this);
  }

  /** Drops the server's handle if it is this object's. That it can't be dropped is no error: it expires. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#isOurs) {
      await this.drop().catch(() => {});
    }
  }

  /** @internal */
  override steps(): Steps {
    return AllSteps.ofHandle(this.id, this.columns, this);
  }

  /** @internal */
  override source(): Source {
    return handleSource(this.id, this.columns, this);
  }

  /** @internal */
  protected override async after(step: () => Steps): Promise<Handle> {
    return new LazyQuery(this.#owner.client, step()).collectHandle();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `Handle { ${this.id}, ${this.rows} rows, columns ${this.columns.join(", ")} }`;
  }
}

/**
 * Several steps over a handle that become one query, which runs when its rows are requested.
 *
 *     const worst = flights
 *       .lazy()
 *       .filter("carrier = $carrier")
 *       .withColumns("dep_delay / 60 AS hours")
 *       .sort("hours DESC NULLS LAST")
 *       .limit(10);
 *     console.log(await worst.collect({ parameters: { carrier: "UA" } }));
 *
 * `Handle.lazy` makes it.
 */
export class LazyQuery extends Fluent<LazyQuery> {
  readonly #client: PolarwayClient;
  readonly #steps: Steps;

  /** @internal */
  constructor(client: PolarwayClient, steps: Steps) {
    super();
    this.#client = client;
    this.#steps = steps;
  }

  /** The whole query. */
  toSql(): string {
    return this.#steps.sql;
  }

  /** Runs it, and gives its rows. A column that does not exist is an error of this call. */
  async collect(options: QueryOptions = {}): Promise<PolarwayTable> {
    return holding(this.#steps, this.#client.query(this.toSql(), options));
  }

  /** Runs it, and keeps its result. */
  async collectHandle(options: QueryHandleOptions = {}): Promise<Handle> {
    return holding(this.#steps, this.#client.queryHandle(this.toSql(), options));
  }

  /** @internal */
  override steps(): Steps {
    return this.#steps;
  }

  /** @internal */
  override source(): Source {
    return this.#steps.asSource();
  }

  /** @internal */
  protected override after(step: () => Steps): LazyQuery {
    return new LazyQuery(this.#client, step());
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return `LazyQuery { ${this.toSql()} }`;
  }
}

/** Keeps the handles that some steps read from being collected, and dropped, before the query has run. */
async function holding<T>(steps: Steps, result: Promise<T>): Promise<T> {
  const held = [...steps.held];
  return result.finally(() => held.splice(0));
}
