// Loads tables. A stream that breaks continues at the next row of the version that it was reading.

import { equals } from "@bufbuild/protobuf";
import type { RecordBatch, Schema } from "apache-arrow";
import { compareSchemas } from "apache-arrow/visitor/typecomparator";
import type { At, AtOptions } from "./at.js";
import { AT_OPTIONS, atOf } from "./at.js";
import type { Batches } from "./batches.js";
import type { Attempt, Call } from "./call.js";
import type { Core } from "./core.js";
import type { PolarwayError } from "./errors.js";
import { CallFailed, errorOf, failureOfReason, invalidInput, protocolError } from "./failure.js";
import type { LoadHeader, LoadResponse, LoadResponseSchema } from "./generated/polarway/v1/load_pb.js";
import { LoadHeaderSchema } from "./generated/polarway/v1/load_pb.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import { Receiver } from "./receive.js";
import { checkNames } from "./settings.js";
import { datasetName } from "./texts.js";

/** What to load. */
export interface LoadOptions extends AtOptions {
  /** Some columns, in the order that they are to have. The others are not sent. */
  readonly columns?: string | readonly string[] | undefined;
  /** The first row, and the one behind the last, counted from 0. The others are not sent. */
  readonly rows?: readonly [first: number, end?: number] | undefined;
  /** Ends the call when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

const LOAD_OPTIONS = [...AT_OPTIONS, "columns", "rows", "signal"];

/** What is to be loaded, checked. */
interface Selection {
  readonly name: string;
  readonly at: At | undefined;
  readonly columns: readonly string[] | undefined;
  readonly firstRow: bigint;
  readonly endRow: bigint | undefined;
}

/** What is to be loaded. */
function selectionOf(name: string, options: LoadOptions): Selection {
  checkNames("a load", options, LOAD_OPTIONS);
  const { columns, rows } = options;
  const list = typeof columns === "string" ? [columns] : columns;
  if (list !== undefined && !(Array.isArray(list) && list.every((column) => typeof column === "string"))) {
    throw invalidInput(`columns are named by texts: ${String(list)} are none`);
  }
  if (list?.length === 0) {
    // On the wire no columns are all.
    throw invalidInput("a load needs one column at least: name some, or leave the list out for all");
  }
  const [first, end] = rows ?? [0];
  const isRow = (row: unknown): boolean => Number.isSafeInteger(row) && (row as number) >= 0;
  if (!(isRow(first) && (end === undefined || isRow(end)))) {
    throw invalidInput(
      `${JSON.stringify(rows)} are no rows to load: give the first and the one behind the last, counted from 0`,
    );
  }
  const endRow = end === undefined ? undefined : BigInt(end);
  return {
    name: datasetName(name),
    at: atOf(options),
    columns: list,
    firstRow: BigInt(first),
    endRow,
  };
}

/** A load that runs: its batches one after the other, whatever happens to connections meanwhile. */
export class Loading implements Batches {
  readonly #core: Core;
  readonly #selection: Selection;
  readonly #signal: AbortSignal | undefined;
  #call: Call | undefined;
  #receiver: Receiver<typeof LoadResponseSchema> | undefined;
  #nextRow: bigint;
  // The row behind the last, once that is known.
  #endRow = 0n;
  #ready: RecordBatch[] = [];
  #header: LoadHeader | undefined;
  #schema: Schema | undefined;

  constructor(core: Core, name: string, options: LoadOptions) {
    this.#core = core;
    this.#selection = selectionOf(name, options);
    this.#signal = options.signal;
    this.#nextRow = this.#selection.firstRow;
  }

  /** What is read; known once it has begun. */
  get header(): LoadHeader | undefined {
    return this.#header;
  }

  get schema(): Schema | undefined {
    return this.#schema;
  }

  /** The number of rows that come, once the load has begun. */
  get selectedRows(): bigint {
    return this.#endRow - this.#selection.firstRow;
  }

  /** Waits until the server has said which version it sends. To begin twice does nothing. */
  async begin(): Promise<void> {
    if (this.#header === undefined) {
      this.#call ??= await this.#core.call({ kind: "idempotent", signal: this.#signal });
      await this.#call.run((attempt) => this.#attemptBegin(attempt));
    }
  }

  async next(): Promise<RecordBatch | undefined> {
    await this.begin();
    while (this.#ready.length === 0) {
      if (!(await this.#call?.run((attempt) => this.#attemptNext(attempt)))) {
        return undefined;
      }
    }
    return this.#ready.shift();
  }

  close(): void {
    this.#receiver?.cancel();
    this.#receiver = undefined;
  }

  async #attemptBegin(attempt: Attempt): Promise<void> {
    const receiver = this.#open(attempt, this.#selection.at);
    try {
      while (true) {
        const step = await receiver.next(attempt);
        if (step === undefined || (step.chunk !== undefined && step.header === undefined)) {
          throw protocolError("a load began without its header");
        }
        if (step.header === undefined) {
          attempt.going();
          continue;
        }
        const { rows } = step.header;
        const { endRow } = this.#selection;
        this.#endRow = endRow === undefined || endRow > rows ? rows : endRow;
        this.#take(receiver, step);
        this.#header = step.header;
        this.#receiver = receiver;
        attempt.progress();
        return;
      }
    } catch (error) {
      receiver.cancel();
      throw error;
    }
  }

  /** Takes one message, and tells whether there may be more. It is called when no batch is ready. */
  async #attemptNext(attempt: Attempt): Promise<boolean> {
    const version: At = { at: { case: "version", value: this.#header?.version ?? 0n } };
    const isResumed = this.#receiver === undefined;
    const receiver = this.#receiver ?? this.#open(attempt, version);
    this.#receiver = undefined;
    try {
      const step = await receiver.next(attempt);
      if (step === undefined) {
        if (receiver.nextRow !== this.#endRow) {
          throw protocolError(`the load ended after ${receiver.nextRow} of ${this.#endRow} rows`);
        }
        return false;
      }
      this.#checkHeader(step);
      this.#take(receiver, step);
      if (step.chunk === undefined && step.header === undefined) {
        attempt.going();
      } else {
        attempt.progress();
      }
    } catch (error) {
      receiver.cancel();
      throw isResumed && this.#isOfChangedFiles(error) ? this.#changed() : error;
    }
    this.#receiver = receiver;
    return true;
  }

  #checkHeader({ header }: LoadResponse): void {
    if (header !== undefined && this.#header !== undefined && !equals(LoadHeaderSchema, header, this.#header)) {
      throw this.#changed();
    }
  }

  /** Whether rows or columns are missing that were there when the load began: those of a version don't change. */
  #isOfChangedFiles(error: unknown): boolean {
    const reason = error instanceof CallFailed ? error.failure.reason : undefined;
    return this.#header?.version === 0n && (reason === "INVALID_INPUT" || reason === "UNKNOWN_COLUMN");
  }

  /** Files that Polarway did not write may change between two tries, without a new version. */
  #changed(): PolarwayError {
    const message = `the files of "${this.#selection.name}" changed while they were read: load it again`;
    return errorOf(failureOfReason("CHANGED", message), undefined);
  }

  #take(receiver: Receiver<typeof LoadResponseSchema>, { chunk }: LoadResponse): void {
    if (chunk === undefined) {
      return;
    }
    this.#ready.push(...receiver.rows(chunk));
    this.#nextRow = receiver.nextRow;
    this.#checkSchema(receiver.schema);
    if (receiver.nextRow > this.#endRow) {
      throw ignored("rows");
    }
  }

  #checkSchema(schema: Schema | undefined): void {
    if (schema === undefined || schema === this.#schema) {
      return;
    }
    const { columns } = this.#selection;
    if (columns !== undefined && columns.join("\0") !== schema.names.join("\0")) {
      throw ignored("columns");
    }
    if (this.#schema !== undefined && !compareSchemas(this.#schema, schema)) {
      throw protocolError("the server sent other columns after the connection broke than before");
    }
    this.#schema ??= schema;
  }

  #open(attempt: Attempt, at: At | undefined): Receiver<typeof LoadResponseSchema> {
    const { name, columns, endRow } = this.#selection;
    const request = {
      name,
      firstRow: this.#nextRow,
      columns: [...(columns ?? [])],
      ...(at === undefined ? {} : { at }),
      ...(endRow === undefined ? {} : { endRow }),
    };
    return Receiver.open(attempt, PolarwayService.method.load, request, this.#nextRow);
  }
}

/** A server that does not know of columns or rows sends all. */
function ignored(what: string): PolarwayError {
  return protocolError(`the server sent other ${what} than were asked for: it is older than this client; upgrade it`);
}
