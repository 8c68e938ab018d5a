// Runs SQL. A query whose stream breaks is run again if the user has nothing of its result yet.

import type { MessageInitShape } from "@bufbuild/protobuf";
import type { RecordBatch, Schema } from "apache-arrow";
import type { Batches } from "./batches.js";
import { joined } from "./batches.js";
import type { Attempt, Call } from "./call.js";
import type { Core } from "./core.js";
import { invalidInput, protocolError, unreachable } from "./failure.js";
import type { QueryRequestSchema, QueryResponseSchema } from "./generated/polarway/v1/query_pb.js";
import { Engine } from "./generated/polarway/v1/query_pb.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import type { QuerySummary } from "./model.js";
import { summaryOf } from "./model.js";
import type { Parameters } from "./parameters.js";
import { encodedParameters } from "./parameters.js";
import { Receiver } from "./receive.js";
import { checkNames } from "./settings.js";
import type { PolarwayTable } from "./tables/table.js";
import { textOf } from "./texts.js";

/** How a query is run. */
export interface QueryOptions {
  /**
   * The values of its parameters: a list for `?` and `$1`, an object for `$name`. They are sent apart from the text.
   */
  readonly parameters?: Parameters | undefined;
  /**
   * The milliseconds that it may take on the server. The client's timeout does not count while the server works on it.
   */
  readonly timeLimit?: number | undefined;
  /**
   * Whether numbers of type HUGEINT, as the sum of integers is one, come as text. They may have 39 digits, and as
   * decimals, of 38 digits, longer ones are refused.
   */
  readonly hugeintAsText?: boolean | undefined;
  /**
   * Whether the server computes the complete result before it sends the first row, and keeps it until all have arrived.
   * Then a connection may break at any time, and the query runs once. Not together with `hugeintAsText`.
   */
  readonly resumable?: boolean | undefined;
  /**
   * Which workers run it: `local` is the one that is asked, `distributed` all workers together, and `auto`, the default,
   * lets the server decide. `distributed` is an error for a query that can't be run so.
   */
  readonly engine?: EngineChoice | undefined;
  /** Ends the call, and stops the query, when it is aborted. */
  readonly signal?: AbortSignal | undefined;
}

/** Which workers run a query: those that the server chooses, the one that is asked, or all of them together. */
export type EngineChoice = "auto" | "local" | "distributed";

const ENGINES: Record<EngineChoice, Engine> = {
  auto: Engine.UNSPECIFIED,
  local: Engine.LOCAL,
  distributed: Engine.DISTRIBUTED,
};

/** The options of every call that runs a query. */
export const RUN_OPTIONS = ["parameters", "timeLimit", "engine", "signal"];

const QUERY_OPTIONS = [...RUN_OPTIONS, "hugeintAsText", "resumable"];

// gRPC's header for it has eight digits.
const LONGEST_MS = 99_999_999;

/** A query, as it is sent. */
export class Query {
  readonly request: MessageInitShape<typeof QueryRequestSchema>;
  readonly timeMs: number | undefined;
  readonly signal: AbortSignal | undefined;

  constructor(sql: string, options: QueryOptions) {
    checkNames("a query", options, QUERY_OPTIONS);
    const { hugeintAsText = false, resumable = false } = options;
    if (hugeintAsText && resumable) {
      throw invalidInput("a resumable result has its HUGEINT as decimals: leave out hugeintAsText, or resumable");
    }
    this.request = {
      sql: textOf("SQL", sql),
      parameters: encodedParameters(options.parameters),
      hugeintAsText,
      engine: checkedEngine(options.engine),
    };
    this.timeMs = checkedTimeLimit(options.timeLimit);
    this.signal = options.signal;
  }
}

/** The time limit that a user gave. */
export function checkedTimeLimit(timeLimit: unknown): number | undefined {
  if (timeLimit !== undefined && !(typeof timeLimit === "number" && timeLimit > 0 && timeLimit <= LONGEST_MS)) {
    throw invalidInput(`${String(timeLimit)} is no time limit: give the milliseconds that the query may take`);
  }
  return timeLimit;
}

/** The engine that a user chose, as it is sent. */
export function checkedEngine(engine: unknown): Engine {
  if (engine === undefined) {
    return Engine.UNSPECIFIED;
  }
  if (typeof engine !== "string" || !Object.hasOwn(ENGINES, engine)) {
    throw invalidInput(`${String(engine)} is no engine: give "auto", "local" or "distributed"`);
  }
  return ENGINES[engine as EngineChoice];
}

/** The result of one run of a query, as it arrives. */
class Result {
  readonly #receiver: Receiver<typeof QueryResponseSchema>;
  readonly #ready: RecordBatch[] = [];
  #summary: QuerySummary | undefined;

  constructor(attempt: Attempt, query: Query) {
    this.#receiver = Receiver.open(attempt, PolarwayService.method.query, query.request, 0n, query.timeMs);
  }

  get schema(): Schema | undefined {
    return this.#receiver.schema;
  }

  get summary(): QuerySummary | undefined {
    return this.#summary;
  }

  /** Takes one message, and tells whether there may be more. */
  async step(attempt: Attempt): Promise<boolean> {
    const step = await this.#receiver.next(attempt);
    if (step === undefined) {
      if (this.#summary === undefined) {
        throw unreachable("the result ended before its summary");
      }
      return false;
    }
    if (step.chunk !== undefined) {
      this.#ready.push(...this.#receiver.rows(step.chunk));
    }
    if (step.summary !== undefined) {
      this.#summary = summaryOf(step.summary);
    }
    attempt.going();
    return true;
  }

  /** Waits for the columns. */
  async begin(attempt: Attempt): Promise<void> {
    while (this.schema === undefined) {
      if (!(await this.step(attempt))) {
        throw protocolError("a result ended before it began");
      }
    }
  }

  /** The next batch, if it is there. */
  take(): RecordBatch | undefined {
    return this.#ready.shift();
  }

  /** Stops the query, if it runs. */
  cancel(): void {
    this.#receiver.cancel();
  }
}

/** A query that runs: its batches one after the other. After the first, a break is an error. */
export class Running implements Batches {
  readonly #core: Core;
  readonly #query: Query;
  #call: Call | undefined;
  #result: Result | undefined;

  constructor(core: Core, query: Query) {
    this.#core = core;
    this.#query = query;
  }

  get schema(): Schema | undefined {
    return this.#result?.schema;
  }

  get summary(): QuerySummary | undefined {
    return this.#result?.summary;
  }

  async begin(): Promise<void> {
    if (this.#result === undefined) {
      this.#call ??= await this.#core.call({ kind: "query", signal: this.#query.signal });
      await this.#call.run((attempt) => this.#attemptBegin(attempt));
    }
  }

  async next(): Promise<RecordBatch | undefined> {
    await this.begin();
    while (true) {
      const batch = this.#result?.take();
      if (batch !== undefined) {
        return batch;
      }
      if (!(await this.#call?.goOn((attempt) => this.#attemptStep(attempt)))) {
        return undefined;
      }
    }
  }

  close(): void {
    this.#result?.cancel();
  }

  async #attemptBegin(attempt: Attempt): Promise<void> {
    const result = new Result(attempt, this.#query);
    try {
      await result.begin(attempt);
    } catch (error) {
      result.cancel();
      throw error;
    }
    this.#result = result;
  }

  async #attemptStep(attempt: Attempt): Promise<boolean> {
    try {
      return (await this.#result?.step(attempt)) ?? false;
    } catch (error) {
      this.#result?.cancel();
      throw error;
    }
  }
}

/** Runs a query and gives its whole result. It is run again if it breaks before that. */
export async function query(core: Core, sql: string, options: QueryOptions): Promise<PolarwayTable> {
  const prepared = new Query(sql, options);
  const call = await core.call({ kind: "query", signal: options.signal });
  return call.run(async (attempt) => {
    const result = new Result(attempt, prepared);
    const batches: RecordBatch[] = [];
    try {
      do {
        for (let batch = result.take(); batch !== undefined; batch = result.take()) {
          batches.push(batch);
        }
      } while (await result.step(attempt));
    } finally {
      result.cancel();
    }
    return joined(result.schema, batches);
  });
}
