// Makes, finds and ends handles: results of queries that stay on the server.
//
// If the answer to a call that makes one is lost, the call is repeated with the same id, and finds the handle that the
// first one made.

import { randomUUID } from "node:crypto";
import type { Schema } from "apache-arrow";
import { decoded } from "./call.js";
import type { Core } from "./core.js";
import { invalidInput, protocolError, unreachable } from "./failure.js";
import type { Handle as HandleMessage } from "./generated/polarway/v1/handles_pb.js";
import { CreateHandleResponseSchema } from "./generated/polarway/v1/handles_pb.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import { count, millisecondsOf, timeOf } from "./model.js";
import { encodedParameters } from "./parameters.js";
import type { PreciseDate } from "./preciseDate.js";
import type { QueryOptions } from "./query.js";
import { checkedEngine, checkedTimeLimit, RUN_OPTIONS } from "./query.js";
import { requestIdOf } from "./requestId.js";
import { checkNames } from "./settings.js";
import { schemaOf } from "./tables/decode.js";
import { textOf } from "./texts.js";

const { createHandle, getHandle, listHandles, extendHandle, dropHandle } = PolarwayService.method;

// A longer time is sent as the longest.
const MOST_US = 2n ** 64n - 1n;

/** A handle, described. */
export interface HandleInfo {
  /** Its id, which is its name in SQL and for `load`. Whoever knows it may use the handle. */
  readonly id: string;
  /** Its columns. */
  readonly schema: Schema;
  readonly rows: number;
  /** About the size of its rows in memory as Arrow, in bytes. */
  readonly bytes: number;
  /** When it was made. */
  readonly created: PreciseDate;
  /** When it expires unless it is used before, as the server last said. */
  readonly expires: PreciseDate;
  /** How long it is kept without being used, in milliseconds. */
  readonly ttl: number;
}

/** How a query is run whose result is kept. */
export interface QueryHandleOptions extends Omit<QueryOptions, "hugeintAsText" | "resumable"> {
  /** How long the result is kept without being used, in milliseconds. The default is the server's. */
  readonly ttl?: number | undefined;
}

/** Runs a query and keeps its result. */
export async function create(core: Core, sql: string, options: QueryHandleOptions): Promise<HandleInfo> {
  checkNames("a query", options, [...RUN_OPTIONS, "ttl"]);
  const timeMs = checkedTimeLimit(options.timeLimit);
  const request = {
    sql: textOf("SQL", sql),
    parameters: encodedParameters(options.parameters),
    // The handle's id is made of these bits, which nobody must be able to guess.
    requestId: requestIdOf(randomUUID(), 0),
    engine: checkedEngine(options.engine),
    ...ttlOf(options.ttl),
  };
  const call = await core.call({ kind: "query", signal: options.signal });
  return call.run(async (attempt) => {
    const incoming = attempt.open(createHandle, request, timeMs);
    let made: HandleMessage | undefined;
    try {
      let received = await attempt.first(incoming);
      // The stream is read to its end: the server would take an earlier end for a cancelled call.
      while (received !== undefined) {
        const { handle } = decoded(CreateHandleResponseSchema, received);
        made = handle ?? made;
        if (handle === undefined) {
          attempt.going();
        }
        received = await attempt.next(incoming);
      }
    } finally {
      incoming.cancel();
    }
    if (made === undefined) {
      // A proxy may end a stream before the server does.
      throw unreachable("the stream ended before the handle was made");
    }
    return infoOf(made);
  });
}

/** An existing handle. */
export async function find(core: Core, handleId: string, signal: AbortSignal | undefined): Promise<HandleInfo> {
  return infoOf((await core.unary(getHandle, { handleId: checkedId(handleId) }, signal)).handle);
}

/** All handles, by id. */
export async function findAll(core: Core, signal: AbortSignal | undefined): Promise<HandleInfo[]> {
  const pages = await core.pages(listHandles, (pageToken) => ({ pageToken }), signal);
  return pages.flatMap((page) => page.handles.map(infoOf));
}

/** Puts the expiry of a handle off. */
export async function extend(
  core: Core,
  handleId: string,
  ttl: number | undefined,
  signal: AbortSignal | undefined,
): Promise<HandleInfo> {
  return infoOf((await core.unary(extendHandle, { handleId: checkedId(handleId), ...ttlOf(ttl) }, signal)).handle);
}

/** Drops a handle before it expires. */
export async function drop(core: Core, handleId: string, signal: AbortSignal | undefined): Promise<void> {
  await core.unary(dropHandle, { handleId: checkedId(handleId) }, signal);
}

function infoOf(message: HandleMessage | undefined): HandleInfo {
  if (message === undefined) {
    throw protocolError("the server described a handle and sent none");
  }
  return {
    id: message.handleId,
    schema: schemaOf(message.schema),
    rows: count(message.rows),
    bytes: count(message.bytes),
    created: timeOf(message.createdUs),
    expires: timeOf(message.expiresUs),
    ttl: millisecondsOf(message.ttlUs),
  };
}

function checkedId(handleId: unknown): string {
  return textOf("the id of a handle", handleId);
}

function ttlOf(ttl: unknown): { ttlUs?: bigint } {
  if (ttl === undefined) {
    return {};
  }
  if (!(typeof ttl === "number" && ttl >= 0)) {
    throw invalidInput(`${String(ttl)} is no time to live: give milliseconds`);
  }
  const timeUs = Number.isFinite(ttl) ? BigInt(Math.round(ttl * 1_000)) : MOST_US;
  return { ttlUs: timeUs < MOST_US ? timeUs : MOST_US };
}
