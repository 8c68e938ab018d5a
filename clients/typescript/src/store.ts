// Stores tables. An upload that breaks is made again with the same ids, so that nothing is written twice.

import { expectedOf } from "./at.js";
import type { Attempt } from "./call.js";
import { encoded } from "./call.js";
import type { Core } from "./core.js";
import { BatchError, PolarwayError } from "./errors.js";
import type { Failure } from "./failure.js";
import { CallFailed, errorOf, failureOfPart, invalidInput, isTransient, protocolError } from "./failure.js";
import type { StoreResult } from "./generated/polarway/v1/store_pb.js";
import { StoreHeaderSchema, WriteMode } from "./generated/polarway/v1/store_pb.js";
import type { Published } from "./model.js";
import { publishedOf } from "./model.js";
import { requestIdOf, requestOf } from "./requestId.js";
import type { Header, Sending } from "./send.js";
import { send } from "./send.js";
import { checkNames } from "./settings.js";
import type { TableSource } from "./tables/source.js";
import { outgoing } from "./tables/source.js";
import { datasetName, shown } from "./texts.js";

/** How rows are appended. */
export interface AppendOptions {
  /** Refuses the write unless the dataset is at this version; 0 is one that was never written. */
  readonly expectedVersion?: number | undefined;
  /** The id of a write that the program itself may make again, from `freshRequest`. */
  readonly request?: string | undefined;
  /** Ends the call when it is aborted. The table may be stored all the same, if it was complete. */
  readonly signal?: AbortSignal | undefined;
}

/** How a table is stored. */
export interface StoreOptions extends AppendOptions {
  /** What happens to a dataset that exists: its rows are replaced (the default), or the write is refused. */
  readonly mode?: "overwrite" | "create" | undefined;
}

const APPEND_OPTIONS = ["expectedVersion", "request", "signal"];
const MODES = { overwrite: WriteMode.OVERWRITE, create: WriteMode.CREATE };

/** Stores a table. */
export async function store(core: Core, name: string, source: TableSource, options: StoreOptions): Promise<Published> {
  checkNames("a store", options, [...APPEND_OPTIONS, "mode"]);
  const { mode = "overwrite" } = options;
  if (!Object.hasOwn(MODES, mode)) {
    throw invalidInput(`mode ${shown(mode)}: a store may "overwrite" or "create"`);
  }
  return one(core, name, source, MODES[mode], options);
}

/** Appends a table's rows to a dataset. */
export async function append(
  core: Core,
  name: string,
  source: TableSource,
  options: AppendOptions,
): Promise<Published> {
  checkNames("an append", options, APPEND_OPTIONS);
  return one(core, name, source, WriteMode.APPEND, options);
}

async function one(
  core: Core,
  name: string,
  source: TableSource,
  mode: WriteMode,
  options: AppendOptions,
): Promise<Published> {
  const { expectedVersion, request, signal } = options;
  const header = { name, mode, ...expectedOf(expectedVersion) };
  const [result] = await upload(core, [{ header, source }], requestOf(request), signal);
  if (result === undefined || result instanceof Error) {
    throw result;
  }
  return result;
}

/** Stores several tables in one call. */
export async function storeBatch(
  core: Core,
  tables: Readonly<Record<string, TableSource>>,
  options: { readonly signal?: AbortSignal | undefined },
): Promise<Record<string, Published>> {
  checkNames("a batch", options, ["signal"]);
  if (typeof tables !== "object" || tables === null || Array.isArray(tables)) {
    throw invalidInput(`${shown(tables)} is no object of names and tables`);
  }
  const entries = Object.entries(tables);
  const given = entries.map(([name, source]) => ({ header: { name, mode: WriteMode.OVERWRITE }, source }));
  const results = await upload(core, given, requestOf(undefined), options.signal);
  const published: Record<string, Published> = {};
  const errors: Record<string, PolarwayError> = {};
  for (const [index, [name]] of entries.entries()) {
    const result = results[index];
    if (result instanceof PolarwayError) {
      errors[name] = result;
    } else if (result !== undefined) {
      published[name] = result;
    }
  }
  if (Object.keys(errors).length > 0) {
    throw batchError(published, errors);
  }
  return published;
}

function batchError(published: Record<string, Published>, errors: Record<string, PolarwayError>): PolarwayError {
  const all = Object.values(errors);
  const [first] = all;
  if (first !== undefined && Object.keys(published).length === 0 && all.every((error) => error === first)) {
    // The call itself failed.
    return first;
  }
  const texts = Object.entries(errors).map(([name, error]) => `"${name}": ${error.message}`);
  const count = all.length + Object.keys(published).length;
  const message = `${all.length} of ${count} tables were not stored: ${texts.join("; ")}`;
  const isOne = all.every((error) => error.reason === first?.reason);
  const details = {
    reason: isOne ? first?.reason : undefined,
    // Tables that were refused would be refused again.
    retryable: all.every((error) => error.retryable),
    requestId: first?.requestId,
  };
  return new BatchError(first?.code ?? "UNKNOWN", message, { ...details, published, errors });
}

/** Uploads tables until each has a result. */
async function upload(
  core: Core,
  given: readonly { readonly header: Header; readonly source: TableSource }[],
  idOfCall: string,
  signal: AbortSignal | undefined,
): Promise<(Published | PolarwayError)[]> {
  const waiting = new Map<number, Sending>();
  for (const [ordinal, { header, source }] of given.entries()) {
    const name = datasetName(header.name);
    const complete = { ...header, requestId: requestIdOf(idOfCall, ordinal) };
    // What no message can hold is refused before anything is sent.
    encoded(StoreHeaderSchema, complete);
    waiting.set(ordinal, { header: complete, table: await named(name, source) });
  }
  if (waiting.size === 0) {
    return [];
  }
  const call = await core.call({ kind: "idempotent", signal });
  const uploading = new Uploading(waiting, call.id);
  try {
    await call.run((attempt) => uploading.attempt(attempt));
  } catch (error) {
    if (!(error instanceof PolarwayError)) {
      throw error;
    }
    uploading.settle(error);
  }
  return given.map((_, ordinal) => uploading.result(ordinal));
}

/** The table of a source. An error has the name of the dataset before it. */
async function named(name: string, source: TableSource) {
  try {
    return await outgoing(source);
  } catch (error) {
    throw error instanceof PolarwayError ? invalidInput(`"${name}": ${error.message}`, error.cause) : error;
  }
}

/** Tables that are being sent, and the results of those that have arrived. */
class Uploading {
  // By their positions in the user's call.
  readonly #waiting: Map<number, Sending>;
  readonly #results = new Map<number, Published | PolarwayError>();
  readonly #callId: string;

  constructor(waiting: Map<number, Sending>, callId: string) {
    this.#waiting = waiting;
    this.#callId = callId;
  }

  /** The result of a table. */
  result(ordinal: number): Published | PolarwayError {
    return this.#results.get(ordinal) ?? protocolError("the server gave no result for a table");
  }

  /** Sends the tables that have no result yet. */
  async attempt(attempt: Attempt): Promise<void> {
    try {
      this.#sortOut(await send(attempt, [...this.#waiting.values()]));
    } catch (error) {
      if (error instanceof CallFailed && isTransient(error.failure)) {
        this.#checkRepeatable(error.failure);
      }
      throw error;
    }
  }

  /** Gives the same error to all tables that have no result. */
  settle(error: PolarwayError): void {
    for (const ordinal of this.#waiting.keys()) {
      this.#results.set(ordinal, error);
    }
    this.#waiting.clear();
  }

  /** Takes the result of each table. Tables whose failure may pass wait for the next try. */
  #sortOut(results: readonly StoreResult[]): void {
    if (results.length !== this.#waiting.size) {
      throw protocolError(`the server gave ${results.length} results for ${this.#waiting.size} tables`);
    }
    let passing: Failure | undefined;
    for (const [index, [ordinal, { header }]] of [...this.#waiting].entries()) {
      const outcome = results[index]?.outcome;
      if (outcome?.case === "failure") {
        const failure = failureOfPart(outcome.value);
        if (isTransient(failure)) {
          passing = failure;
          continue;
        }
        this.#results.set(ordinal, errorOf(failure, this.#callId));
      } else if (outcome?.case === "published") {
        this.#results.set(ordinal, publishedOf(outcome.value));
      } else {
        throw protocolError(`the server gave no result for "${header.name}"`);
      }
      this.#waiting.delete(ordinal);
    }
    if (passing !== undefined) {
      throw new CallFailed(passing);
    }
  }

  #checkRepeatable(failure: Failure): void {
    const once = [...this.#waiting.values()].find(({ table }) => !table.isRepeatable());
    if (once !== undefined) {
      const why = `the rows of "${once.header.name}" can be read only once, so they are not sent again`;
      const message = `${failure.message}; ${why}`;
      throw errorOf({ ...failure, message }, this.#callId);
    }
  }
}
