// Why a call failed: read from its status, or from a part of its answer, and turned into an error for users.

import { fromBinary } from "@bufbuild/protobuf";
import type { Code } from "./errors.js";
import { CODES, PolarwayError } from "./errors.js";
import { ErrorInfoSchema, RetryInfoSchema } from "./generated/google/rpc/error_details_pb.js";
import { StatusSchema } from "./generated/google/rpc/status_pb.js";
import type { Failure as FailureMessage } from "./generated/polarway/v1/table_pb.js";
import type { Reason } from "./generated/reasons.js";
import { REASONS } from "./generated/reasons.js";

// A reason of another domain, perhaps from a proxy, is not of this protocol.
const DOMAIN = "polarway";

/** The codes of a connection that broke. */
const BROKEN: ReadonlySet<Code> = new Set<Code>(["CANCELLED", "UNKNOWN", "ABORTED", "INTERNAL", "UNAVAILABLE"]);

/**
 * Who found that a call failed: the server, a proxy or this client (`peer`); the connection, over which neither a
 * server nor a proxy answered (`connection`); or TLS, without which there is no connection (`tls`).
 */
export type Origin = "peer" | "connection" | "tls";

/** Why a call, or a part of one, failed. */
export interface Failure {
  readonly code: Code;
  readonly message: string;
  /** As the server named it; it may be one of a later version. `undefined` where no server of ours gave one. */
  readonly reason?: string | undefined;
  /** How long the server asks to wait before a retry. */
  readonly retryDelayMs?: number;
  readonly origin?: Origin;
  readonly cause?: unknown;
}

/** A try of a call failed. `Call` decides whether there is another one. */
export class CallFailed extends Error {
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** No server answers: the same call may succeed when it is made again. */
export function unreachable(message: string): CallFailed {
  return new CallFailed({ code: "UNAVAILABLE", message });
}

/** Something in the call can't be used. Nothing was sent. */
export function invalidInput(message: string, cause?: unknown): PolarwayError {
  return new PolarwayError("INVALID_ARGUMENT", message, { cause });
}

/** What came is not of this protocol, or of another version of it. */
export function protocolError(message: string, cause?: unknown): PolarwayError {
  return new PolarwayError("INTERNAL", message, { cause });
}

/** The name of a gRPC code. */
export function codeOf(number: number): Code {
  const code = CODES[number];
  return code === undefined || code === "OK" ? "UNKNOWN" : code;
}

/**
 * What a call's status says, with the bytes of its trailer `grpc-status-details-bin`. Details that can't be read are as
 * good as none: the code and the message are there.
 */
export function failureOfStatus(code: Code, message: string, details: Uint8Array | undefined): Failure {
  let reason: string | undefined;
  let retryDelayMs = 0;
  try {
    for (const detail of fromBinary(StatusSchema, details ?? new Uint8Array()).details) {
      // The part before the slash may be any host.
      const name = detail.typeUrl.slice(detail.typeUrl.lastIndexOf("/") + 1);
      if (name === ErrorInfoSchema.typeName) {
        const info = fromBinary(ErrorInfoSchema, detail.value);
        reason = info.domain === DOMAIN && info.reason !== "" ? info.reason : undefined;
      } else if (name === RetryInfoSchema.typeName) {
        const delay = fromBinary(RetryInfoSchema, detail.value).retryDelay;
        retryDelayMs = delay === undefined ? 0 : Math.max(0, Number(delay.seconds) * 1000 + delay.nanos / 1e6);
      }
    }
  } catch {
    // The bytes can't be read as details.
  }
  return { code, message, reason, retryDelayMs };
}

/** What an answer says about a part of the call. */
export function failureOfPart(part: FailureMessage): Failure {
  return {
    code: codeOf(part.code),
    message: part.message,
    reason: part.reason === "" ? undefined : part.reason,
    retryDelayMs: Number(part.retryDelayMs ?? 0n),
  };
}

/** A failure that this client finds, and that the protocol has a reason for. */
export function failureOfReason(reason: Reason, message: string): Failure {
  return { code: codeOf(REASONS[reason].code), message, reason };
}

/** Whether the same call may succeed when it is made again. That of a reason of a later version is not known. */
export function isTransient(failure: Failure): boolean {
  if (failure.origin === "tls") {
    return false;
  }
  if (failure.reason === undefined) {
    return BROKEN.has(failure.code);
  }
  return isReason(failure.reason) && REASONS[failure.reason].retry;
}

/** Whether the server is only busy: nothing broke. */
export function isOfBusyServer({ reason }: Failure): boolean {
  return reason !== undefined && isReason(reason) && REASONS[reason].busy;
}

/** The error for users. */
export function errorOf(failure: Failure, requestId: string | undefined): PolarwayError {
  return new PolarwayError(userCode(failure), failure.message, {
    // A program may know reasons of a later version that this package does not.
    reason: failure.reason as Reason | undefined,
    retryable: isTransient(failure),
    requestId,
    cause: failure.cause,
  });
}

/** A connection may break with any of some codes, whose differences are of no use. */
function userCode(failure: Failure): Code {
  return failure.reason === undefined && BROKEN.has(failure.code) ? "UNAVAILABLE" : failure.code;
}

function isReason(text: string): text is Reason {
  return Object.hasOwn(REASONS, text);
}
