// What the end of a call, or of a connection, means.

import type { IncomingHttpHeaders } from "node:http2";
import type { Address } from "../address.js";
import { authority } from "../address.js";
import type { Failure } from "../failure.js";
import { codeOf, failureOfReason, failureOfStatus } from "../failure.js";

/** The failure that an answer's last headers tell; `undefined` if the call succeeded or they don't tell. */
export function failureOfTrailers(
  trailers: IncomingHttpHeaders,
  address: Address,
  timeMs: number | undefined,
): Failure | undefined {
  const status = Number(trailers["grpc-status"]);
  if (status === 0) {
    return undefined;
  }
  const code = codeOf(status);
  const message = decoded(String(trailers["grpc-message"] ?? ""));
  const details = trailers["grpc-status-details-bin"];
  const failure = failureOfStatus(code, message, details === undefined ? undefined : bytesOf(String(details)));
  return failure.reason === undefined ? unexplained(failure, address, timeMs) : failure;
}

/** The failure of a call that something else than a server of gRPC answered, with this status of HTTP. */
export function failureOfHttpStatus(status: number, address: Address): Failure {
  const where = authority(address);
  if (status === 404) {
    return foreign(where);
  }
  if (status === 401 || status === 403) {
    const code = status === 401 ? "UNAUTHENTICATED" : "PERMISSION_DENIED";
    return { code, message: `what answers at ${where} refused the call with HTTP status ${status}` };
  }
  return { code: "UNAVAILABLE", message: `a proxy before the server at ${where} answered ${status}` };
}

/** The failure of a call that was reset with this code of HTTP/2. */
export function failureOfReset(resetCode: number, address: Address): Failure {
  const name = RESET_NAMES[resetCode] ?? `HTTP/2 code ${resetCode}`;
  return { code: "UNAVAILABLE", message: `${authority(address)} hung up: ${name}`, origin: "connection" };
}

/** The failure of all calls over a connection that broke, or could not be made. */
export function failureOfConnection(error: unknown, address: Address, wasOpen: boolean): Failure {
  const where = authority(address);
  const cause = innermost(error);
  const problem = tlsProblem(cause, address);
  if (problem !== undefined) {
    const message = `the connection to ${where} can't be made secure: ${problem} (${cause.message})`;
    return { code: "UNAVAILABLE", message, origin: "tls", cause: error };
  }
  const did = wasOpen ? "hung up" : "can't be reached";
  return { code: "UNAVAILABLE", message: `${where} ${did}: ${cause.message}`, origin: "connection", cause: error };
}

/** A status that no server of ours made: the connection or a proxy did. */
function unexplained(failure: Failure, address: Address, timeMs: number | undefined): Failure {
  const where = authority(address);
  const { code, message } = failure;
  if (code === "DEADLINE_EXCEEDED") {
    return timeMs === undefined
      ? { ...failure, message: `${where} did not answer within the timeout` }
      : failureOfReason(code, `the query took longer than its time limit of ${timeMs} ms`);
  }
  if (code === "UNIMPLEMENTED") {
    return foreign(where);
  }
  return { ...failure, message: `${where} answered with ${code}: ${message}` };
}

function foreign(where: string): Failure {
  return {
    code: "UNIMPLEMENTED",
    message: `what answers at ${where} is no Polarway server, or one of another protocol`,
  };
}

/** A message as it was, of which gRPC writes some bytes as `%` and two digits. */
function decoded(message: string): string {
  const bytes = message.replace(/%([0-9A-Fa-f]{2})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

function bytesOf(header: string): Uint8Array {
  return new Uint8Array(Buffer.from(header, "base64"));
}

// The codes of HTTP/2, by their numbers.
const RESET_NAMES: readonly string[] = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** An error of Node.js. */
interface SystemError extends Error {
  readonly code?: string;
}

/** That a connection failed does not help, "connection refused" does. */
function innermost(error: unknown): SystemError {
  const inner = error instanceof AggregateError ? error.errors[0] : error;
  return inner instanceof Error ? inner : new Error(String(inner));
}

const TLS_PROBLEMS: readonly (readonly [RegExp, string])[] = [
  [/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG/, "the server does not speak TLS: use http://, and no certificates"],
  [/ERR_TLS_CERT_ALTNAME_INVALID/, "the server's certificate is for another name"],
  [
    /UNABLE_TO_GET_ISSUER_CERT|UNABLE_TO_VERIFY_LEAF|SELF_SIGNED_CERT/,
    "this client does not trust the CA of the server's certificate. If it is your own, give it as tls.ca",
  ],
  [/CERT_|CERTIFICATE_VERIFY|CRL_/, "this client refuses the server's certificate"],
  [/ALERT|BAD_CERTIFICATE|CERTIFICATE_REQUIRED/, "the server refuses this client's certificate, or requires one"],
  [/INADEQUATE_SECURITY/, "the server speaks TLS: use https:// or certificates"],
  [/ERR_SSL|ERR_OSSL|ERR_TLS|EPROTO/, "the handshake failed"],
];

function tlsProblem(error: SystemError, address: Address): string | undefined {
  const text = `${error.code ?? ""} ${error.message}`;
  const problem = TLS_PROBLEMS.find(([mark]) => mark.test(text))?.[1];
  if (problem === undefined && !address.isSecure && /ERR_HTTP2_ERROR|Protocol error/i.test(text)) {
    return "the server does not speak HTTP/2 in the clear: if it speaks TLS, use https://";
  }
  return problem;
}
