// Makes every call: chooses the worker, bounds each wait, and tries again after some failures.
//
// A `Call` has the deadline, the waits between tries, and the choice of the worker. Each try is an `Attempt`, which
// bounds every wait for the server. No wait is without a bound: a balancer keeps connections alive in front of a worker
// that has stopped, so nothing else would show that the worker does not answer.

import { randomInt, randomUUID } from "node:crypto";
import type {
  DescMessage,
  DescMethod,
  DescMethodStreaming,
  DescMethodUnary,
  MessageInitShape,
  MessageShape,
} from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import type { Address } from "./address.js";
import { authority } from "./address.js";
import { PolarwayError } from "./errors.js";
import type { Failure } from "./failure.js";
import { CallFailed, errorOf, invalidInput, isTransient, protocolError, unreachable } from "./failure.js";
import type { Breaks } from "./retry.js";
import { Tries } from "./retry.js";
import { traceHeaders } from "./trace.js";
import type { CallOptions, Incoming, Outgoing, Transport, Worker } from "./transport.js";
import { Late } from "./transport.js";
import { allowManyListeners, sleep } from "./wait.js";

/** The longest waits for a server. */
export interface Patience {
  /**
   * How long a stream may bring nothing before its connection counts as broken. A server sends something each second.
   */
  readonly silenceMs: number;
  /** How long a worker may take to begin its answer: the time to connect, and the longest silence after that. */
  readonly openingMs: number;
}

/** Those of every client. A heartbeat comes each second, so five seconds without one are a break. */
export const PATIENCE: Patience = { silenceMs: 5_000, openingMs: 10_000 };

/**
 * The kind of a call. It decides how often the call may be made again.
 *
 * - `idempotent`: to repeat it does no harm: it reads, or it writes under an id that the server recognises.
 * - `probe`: it asks whether a server answers. That a connection can't be made is an answer, if no worker can be
 *   reached. A balancer's error about its worker is none.
 * - `query`: it runs a query. A query that makes its worker fail must not make all of them fail.
 */
export type Kind = "idempotent" | "probe" | "query";

const BREAKS: Partial<Record<Kind, Breaks>> = { query: { most: 2, countFromStart: true } };

/** The workers that a client knows. All of them serve the same tables; one is asked until it fails. */
export class Workers {
  readonly all: readonly Worker[];
  #current: number;

  constructor(addresses: readonly Address[]) {
    this.all = addresses.map((address, index) => ({ index, address }));
    // Many clients with one list of workers should not all begin with the first.
    this.#current = randomInt(this.all.length);
  }

  /** The worker to ask now. */
  pick(): Worker {
    const worker = this.all[this.#current];
    if (worker === undefined) {
      throw invalidInput("no server was named");
    }
    return worker;
  }

  /** A worker failed: from now on the next one is asked, unless another call has changed the worker already. */
  passOver(worker: Worker): void {
    if (this.#current === worker.index) {
      this.#current = (worker.index + 1) % this.all.length;
    }
  }
}

/** What all calls of a client have in common. */
export interface Common {
  readonly transport: Transport;
  readonly workers: Workers;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly patience: Patience;
}

/** What one call is, besides what it does. */
export interface CallSpec {
  readonly kind: Kind;
  /** The worker that alone can answer. */
  readonly only?: Worker | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** One call, from its first try to its last. */
export class Call {
  readonly id = randomUUID();
  // The trace of whoever began the call.
  readonly #trace = traceHeaders();
  readonly signal: AbortSignal | undefined;
  readonly #common: Common;
  readonly #kind: Kind;
  readonly #only: Worker | undefined;
  readonly #tries: Tries;
  // The worker of the current try.
  #worker: Worker | undefined;
  // The workers that a probe has not asked yet.
  #unasked: number;
  // The longest wait for an answer that is one message. It doubles with each try, because the answer may take that
  // long.
  #patienceMs: number;

  constructor(common: Common, { kind, only, signal }: CallSpec) {
    this.#common = common;
    this.#kind = kind;
    this.#only = only;
    this.#worker = only;
    this.signal = signal;
    if (signal !== undefined) {
      checkSignal(signal);
      allowManyListeners(signal);
    }
    this.#tries = new Tries(common.timeoutMs, BREAKS[kind]);
    this.#unasked = common.workers.all.length - 1;
    this.#patienceMs = common.patience.openingMs;
  }

  /**
   * Makes attempts until one succeeds, one fails in a way that a retry can't help, or the time is over.
   *
   * A stream is read by several calls of this method: the worker stays the same until an attempt fails.
   */
  async run<T>(attempt: (attempt: Attempt) => Promise<T>): Promise<T> {
    while (true) {
      let failure: Failure;
      try {
        return await attempt(this.#attempt());
      } catch (error) {
        failure = this.#failureOf(error);
      }
      const waitMs = this.#waitMs(failure);
      if (waitMs === undefined) {
        throw this.#finalError(this.#tries.told(failure));
      }
      await sleep(waitMs, this.signal);
    }
  }

  /** Makes one more attempt at the current worker. The user has earlier results already: a failure is final. */
  async goOn<T>(attempt: (attempt: Attempt) => Promise<T>): Promise<T> {
    try {
      return await attempt(this.#attempt());
    } catch (error) {
      const failure = this.#failureOf(error);
      this.#leaveWorker(failure);
      throw errorOf(failure, this.id);
    }
  }

  #attempt(): Attempt {
    this.signal?.throwIfAborted();
    this.#worker ??= this.#common.workers.pick();
    const headers = { ...this.#common.headers, "x-request-id": this.id, ...this.#trace };
    return new Attempt(this.#common, this.#worker, { headers, signal: this.signal }, this.#tries, this.#patienceMs);
  }

  /** The failure of a try. What is no failure of a try is thrown, with the id of this call if it has none. */
  #failureOf(error: unknown): Failure {
    if (error instanceof CallFailed) {
      return error.failure;
    }
    if (error instanceof PolarwayError && error.requestId === undefined) {
      const { reason, retryable, cause } = error;
      throw new PolarwayError(error.code, error.message, { reason, retryable, cause, requestId: this.id });
    }
    throw error;
  }

  /** How long to wait before the next try, which may go to another worker; `undefined` if there is none. */
  #waitMs(failure: Failure): number | undefined {
    this.#leaveWorker(failure);
    this.#patienceMs *= 2;
    if (this.#kind === "probe" && failure.origin === "connection") {
      this.#unasked -= 1;
      return this.#unasked >= 0 ? 0 : undefined;
    }
    return this.#tries.waitMs(failure);
  }

  /**
   * Changes the worker after a failure that may pass, and after one of its certificate. After other failures it stays:
   * other workers would refuse the call too, and a handle may exist on this worker only.
   */
  #leaveWorker(failure: Failure): void {
    const isOfWorker = isTransient(failure) || failure.origin === "tls";
    if (isOfWorker && this.#only === undefined && this.#worker !== undefined) {
      this.#common.workers.passOver(this.#worker);
      this.#worker = undefined;
    }
  }

  #finalError(failure: Failure): PolarwayError {
    // That a worker is busy is useful to the user; that a connection broke only says how the time ended.
    const { count, timeoutMs } = this.#tries;
    if (failure.reason === undefined && isTransient(failure) && count > 1) {
      const message = `no answer within ${timeoutMs} ms, in ${count} tries; the last said: ${failure.message}`;
      return errorOf({ ...failure, message }, this.id);
    }
    return errorOf(failure, this.id);
  }
}

/** One try of a call, at one worker. */
export class Attempt {
  readonly worker: Worker;
  /** The longest wait for an answer that is one message. */
  readonly patienceMs: number;
  readonly #common: Common;
  readonly #options: CallOptions;
  readonly #tries: Tries;

  constructor(common: Common, worker: Worker, options: CallOptions, tries: Tries, patienceMs: number) {
    this.#common = common;
    this.worker = worker;
    this.#options = options;
    this.#tries = tries;
    this.patienceMs = patienceMs;
  }

  /** Makes a call with one message and one answer. */
  async unary<I extends DescMessage, O extends DescMessage>(
    method: DescMethodUnary<I, O>,
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    const leftMs = this.#tries.leftMs();
    const boundMs = Math.min(this.patienceMs, leftMs);
    const options = { ...this.#options, timeMs: boundMs };
    const message = encoded(method.input, request);
    try {
      return decoded(method.output, await this.#common.transport.unary(this.worker, pathOf(method), message, options));
    } catch (error) {
      // The server may tell sooner than this client that the time was over.
      const isLate =
        error instanceof Late || (error instanceof CallFailed && error.failure.code === "DEADLINE_EXCEEDED");
      throw isLate ? this.#noAnswer("did not answer", boundMs, leftMs) : error;
    }
  }

  /** Makes a call whose answer is a stream. The server ends it after `timeMs`, if that is given. */
  open<I extends DescMessage, O extends DescMessage>(
    method: DescMethodStreaming<I, O>,
    request: MessageInitShape<I>,
    timeMs?: number,
  ): Incoming {
    const options = { ...this.#options, timeMs };
    return this.#common.transport.open(this.worker, pathOf(method), encoded(method.input, request), options);
  }

  /** Waits for the first message of a stream, or for its end. */
  async first(incoming: Incoming): Promise<Uint8Array | undefined> {
    const leftMs = this.#tries.leftMs();
    const boundMs = Math.min(this.#common.patience.openingMs, leftMs);
    try {
      return await incoming.next(boundMs);
    } catch (error) {
      throw error instanceof Late ? this.#noAnswer("did not begin to answer", boundMs, leftMs) : error;
    }
  }

  /** Waits for the next message of a stream; `undefined` is its end. */
  async next(incoming: Incoming): Promise<Uint8Array | undefined> {
    const { silenceMs } = this.#common.patience;
    try {
      return await incoming.next(silenceMs);
    } catch (error) {
      const message = `the server at ${authority(this.worker.address)} has been silent for ${silenceMs} ms`;
      throw error instanceof Late ? unreachable(message) : error;
    }
  }

  /** Makes a call with a stream of messages and one answer. */
  upload(method: DescMethod): Outgoing {
    return this.#common.transport.upload(this.worker, pathOf(method), this.#options);
  }

  /** The timeout of the call. It counts from the beginning, or from the last progress. */
  get timeoutMs(): number {
    return this.#tries.timeoutMs;
  }

  /** The server works on the call: the timeout starts again. */
  going(): void {
    this.#tries.going();
  }

  /** The call made progress that a retry keeps. */
  progress(): void {
    this.#tries.progress();
  }

  #noAnswer(what: string, boundMs: number, leftMs: number): CallFailed {
    const where = authority(this.worker.address);
    if (boundMs < leftMs) {
      return unreachable(`the server at ${where} ${what} for ${Math.round(boundMs)} ms`);
    }
    const message = `the server at ${where} ${what} within ${this.#tries.timeoutMs} ms`;
    return new CallFailed({ code: "DEADLINE_EXCEEDED", message });
  }
}

function checkSignal(signal: unknown): void {
  if (typeof (signal as Partial<AbortSignal> | null)?.throwIfAborted !== "function") {
    throw invalidInput(`${String(signal)} is no signal: give an AbortSignal`);
  }
}

function pathOf(method: DescMethod): string {
  return `/${method.parent.typeName}/${method.name}`;
}

/**
 * The bytes of a request. A number or a text of the user's may be in it that no message can hold: the error names the
 * field.
 */
export function encoded<I extends DescMessage>(schema: I, request: MessageInitShape<I>): Uint8Array {
  try {
    return toBinary(schema, create(schema, request));
  } catch (error) {
    throw invalidInput(error instanceof Error ? error.message : String(error), error);
  }
}

/** The message in some bytes. Fields of it may be views of them. */
export function decoded<O extends DescMessage>(schema: O, bytes: Uint8Array): MessageShape<O> {
  try {
    return fromBinary(schema, bytes);
  } catch (error) {
    throw protocolError(`what the server sent is no ${schema.name}: ${String(error)}`, error);
  }
}
