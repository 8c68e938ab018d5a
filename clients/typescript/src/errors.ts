import type { Reason } from "./generated/reasons.js";
import type { Published } from "./model.js";

const BRAND = Symbol.for("@polarway/client/error");

/** The codes of gRPC, by their numbers. */
export const CODES = [
  "OK",
  "CANCELLED",
  "UNKNOWN",
  "INVALID_ARGUMENT",
  "DEADLINE_EXCEEDED",
  "NOT_FOUND",
  "ALREADY_EXISTS",
  "PERMISSION_DENIED",
  "RESOURCE_EXHAUSTED",
  "FAILED_PRECONDITION",
  "ABORTED",
  "OUT_OF_RANGE",
  "UNIMPLEMENTED",
  "INTERNAL",
  "UNAVAILABLE",
  "DATA_LOSS",
  "UNAUTHENTICATED",
] as const;

/**
 * What kind of failure it is, as gRPC names it.
 *
 * `INVALID_ARGUMENT`: something in the call can't be used. `UNAVAILABLE`: no server answers, or it can't now.
 */
export type Code = Exclude<(typeof CODES)[number], "OK">;

/** What an error has besides its message. */
export interface ErrorDetails extends ErrorOptions {
  readonly reason?: Reason | undefined;
  readonly requestId?: string | undefined;
  readonly retryable?: boolean;
}

/**
 * Why a call failed. The message is the server's: what is wrong, with the wrong name or value, and what to do.
 *
 * Only an aborted call rejects with something else: with the reason of its `AbortSignal`.
 */
export class PolarwayError extends Error {
  /** What kind of failure it is. */
  readonly code: Code;
  /** What is wrong, for programs, such as `UNKNOWN_DATASET`; `undefined` where no server gave a reason. */
  readonly reason: Reason | undefined;
  /** Whether the same call may succeed when it is made again later. The client has made it again until its timeout. */
  readonly retryable: boolean;
  /** The call's id, which the server's log has as well; `undefined` if no call was made. */
  readonly requestId: string | undefined;

  constructor(code: Code, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.reason = details.reason;
    this.retryable = details.retryable ?? false;
    this.requestId = details.requestId;
  }

  /** Recognises errors of every copy of this package: a program may have loaded it with `import` and with `require`. */
  static override [Symbol.hasInstance](value: unknown): boolean {
    if (Function.prototype[Symbol.hasInstance].call(this, value)) {
      return true;
    }
    const brand = typeof value === "object" && value !== null ? Reflect.get(value, BRAND) : undefined;
    return brand === this.prototype[BRAND] || (this === PolarwayError && brand !== undefined);
  }

  override get name(): string {
    return "PolarwayError";
  }

  /** @internal */
  get [BRAND](): string {
    return this.name;
  }
}

/** Some tables of a `storeBatch` were not stored; each is stored on its own. It is retryable if the errors of all are. */
export class BatchError extends PolarwayError {
  /** The versions of the tables that were stored, by name. */
  readonly published: Readonly<Record<string, Published>>;
  /** Why the others were not, by name. */
  readonly errors: Readonly<Record<string, PolarwayError>>;

  constructor(code: Code, message: string, details: ErrorDetails & Pick<BatchError, "published" | "errors">) {
    super(code, message, details);
    this.published = details.published;
    this.errors = details.errors;
  }

  override get name(): string {
    return "BatchError";
  }
}
