// Tables that arrive piece by piece.

import type { RecordBatch, Schema } from "apache-arrow";
import type { Batches } from "./batches.js";
import { joined } from "./batches.js";
import type { Core } from "./core.js";
import { invalidInput } from "./failure.js";
import type { QueryHandleOptions } from "./handles.js";
import type { LoadOptions } from "./load.js";
import { Loading } from "./load.js";
import type { QuerySummary } from "./model.js";
import { count, timeOf } from "./model.js";
import type { PreciseDate } from "./preciseDate.js";
import type { QueryOptions } from "./query.js";
import { Query, Running } from "./query.js";
import type { PolarwayTable } from "./tables/table.js";

/**
 * What all streams are: they begin with their first piece, and end with the last one, with `close`, or where a loop is
 * left.
 */
abstract class PieceStream implements AsyncIterableIterator<PolarwayTable>, AsyncDisposable {
  readonly #batches: Batches;
  #pieces = 0;
  #isOver = false;
  // Something that must not be collected before the last piece: a handle drops its rows then.
  readonly #held: unknown;

  constructor(batches: Batches, held?: unknown) {
    this.#batches = batches;
    this.#held = held;
  }

  /** Waits for the first answer of the server. */
  async begin(): Promise<this> {
    await this.#batches.begin();
    return this;
  }

  /** The next piece. There is one at least, which has no rows if the table has none. */
  async next(): Promise<IteratorResult<PolarwayTable, undefined>> {
    if (this.#isOver) {
      return { done: true, value: undefined };
    }
    try {
      const batch = await this.#batches.next();
      if (batch !== undefined || this.#pieces === 0) {
        this.#pieces += 1;
        return { done: false, value: joined(this.#batches.schema, batch === undefined ? [] : [batch]) };
      }
    } catch (error) {
      this.close();
      throw error;
    }
    this.close();
    return { done: true, value: undefined };
  }

  /** One table of the pieces that have not been taken. */
  async readAll(): Promise<PolarwayTable> {
    const batches: RecordBatch[] = [];
    for await (const piece of this) {
      batches.push(...piece.batches.filter(({ numRows }) => numRows > 0));
    }
    return joined(this.#batches.schema, batches);
  }

  /** Ends the call, so that the server stops its work. What has arrived stays usable. */
  close(): void {
    this.#isOver = true;
    this.#batches.close();
  }

  /** What `for await` calls where it is left early. */
  async return(): Promise<IteratorResult<PolarwayTable, undefined>> {
    this.close();
    return { done: true, value: undefined };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  /** @internal */
  get held(): unknown {
    return this.#held;
  }
}

/** The rows of a dataset, in their order, as tables that arrive one after the other. */
export class TableStream extends PieceStream {
  readonly #loading: Loading;

  /** @internal */
  constructor(core: Core, name: string, options: LoadOptions, held?: unknown) {
    const loading = new Loading(core, name, options);
    super(loading, held);
    this.#loading = loading;
  }

  /** The version that is read. It does not change while the stream is read. */
  get version(): number {
    return count(this.#begun.header.version);
  }

  /** When that version was made. */
  get time(): PreciseDate {
    return timeOf(this.#begun.header.timeUs);
  }

  /** The number of rows of the whole version. */
  get rows(): number {
    return count(this.#begun.header.rows);
  }

  /** The number of rows that were asked for, all of which come. */
  get selectedRows(): number {
    return count(this.#begun.selectedRows);
  }

  /** What is known once the load has begun. */
  get #begun() {
    const { header, selectedRows } = this.#loading;
    if (header === undefined) {
      throw invalidInput("the load has not begun: await `begin()`, or take the first piece");
    }
    return { header, selectedRows };
  }
}

/** Runs a query and keeps its result. */
type Keep = (sql: string, options: QueryHandleOptions) => Promise<KeptHandle>;

/** A result that is kept, as long as somebody has this object. */
interface KeptHandle extends AsyncDisposable {
  readonly id: string;
}

/** The rows of a result that is kept on the server until they have arrived. */
class KeptResult implements Batches {
  readonly #core: Core;
  readonly #sql: string;
  readonly #options: QueryOptions;
  readonly #keep: Keep;
  #handle: KeptHandle | undefined;
  #loading: Loading | undefined;

  constructor(core: Core, sql: string, options: QueryOptions, keep: Keep) {
    this.#core = core;
    this.#sql = sql;
    this.#options = options;
    this.#keep = keep;
  }

  get schema(): Schema | undefined {
    return this.#loading?.schema;
  }

  async begin(): Promise<void> {
    if (this.#loading === undefined) {
      const { resumable: _, hugeintAsText: __, ...options } = this.#options;
      this.#handle = await this.#keep(this.#sql, options);
      this.#loading = new Loading(this.#core, this.#handle.id, { signal: options.signal });
    }
    await this.#loading.begin();
  }

  async next(): Promise<RecordBatch | undefined> {
    await this.begin();
    return this.#loading?.next();
  }

  close(): void {
    this.#loading?.close();
    // This call is not awaited, and its errors are ignored. A handle that is not dropped expires.
    this.#handle?.[Symbol.asyncDispose]().then(
      () => {},
      () => {},
    );
    this.#handle = undefined;
  }
}

/**
 * The rows of a query's result, as tables that arrive while the query makes them. A slow reader makes the query slow,
 * and to close the stream stops it.
 */
export class QueryStream extends PieceStream {
  readonly #source: Running | KeptResult;

  /** @internal */
  constructor(core: Core, sql: string, options: QueryOptions, keep: Keep) {
    const query = new Query(sql, options);
    const source = options.resumable === true ? new KeptResult(core, sql, options, keep) : new Running(core, query);
    super(source);
    this.#source = source;
  }

  /**
   * What the query did: rows, bytes, times, versions. It is known once the last piece has been taken; for a resumable
   * query it is not known.
   */
  get summary(): QuerySummary | undefined {
    return this.#source instanceof Running ? this.#source.summary : undefined;
  }
}
