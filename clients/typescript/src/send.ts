// Sends tables to a worker: one try of an upload.

import { crc32 } from "node:zlib";
import type { MessageInitShape } from "@bufbuild/protobuf";
import { authority } from "./address.js";
import type { Attempt } from "./call.js";
import { decoded, encoded as encodedMessage } from "./call.js";
import type { CallFailed } from "./failure.js";
import { unreachable } from "./failure.js";
import { PolarwayService } from "./generated/polarway/v1/service_pb.js";
import type { StoreHeaderSchema, StoreResult } from "./generated/polarway/v1/store_pb.js";
import { StoreRequestSchema, StoreResponseSchema } from "./generated/polarway/v1/store_pb.js";
import { ChunkSchema } from "./generated/polarway/v1/table_pb.js";
import { encoded } from "./tables/encode.js";
import type { OutgoingTable } from "./tables/outgoing.js";
import type { Outgoing } from "./transport.js";
import { Late } from "./transport.js";

// A worker that receives nothing for a while takes the client for dead.
const HEARTBEAT_MS = 1_000;

const HEARTBEAT = encodedMessage(StoreRequestSchema, {});

/** What an upload says about a table before its rows. */
export type Header = MessageInitShape<typeof StoreHeaderSchema>;

/** A table to send, and where it goes. */
export interface Sending {
  readonly header: Header;
  readonly table: OutgoingTable;
}

/** Sends all tables, and receives what became of each. */
export async function send(attempt: Attempt, sendings: readonly Sending[]): Promise<StoreResult[]> {
  const upload = attempt.upload(PolarwayService.method.store);
  const began = performance.now();
  const messages = messagesOf(sendings);
  try {
    await sendAll(attempt, upload, messages);
    return await answer(attempt, upload, began);
  } finally {
    // After an error, nobody waits for the call any more. One that is over stays as it is.
    upload.cancel();
    await messages.return(undefined);
  }
}

type Messages = AsyncGenerator<readonly Uint8Array[], undefined, undefined>;

/** Sends messages until all are sent, or the worker has answered. */
async function sendAll(attempt: Attempt, upload: Outgoing, messages: Messages): Promise<void> {
  while (true) {
    const next = messages.next();
    // The rows may come from a source that is slow. The worker hears each second that there will be more.
    while (!(await isSettled(next, HEARTBEAT_MS))) {
      if (!(await sent(attempt, upload, [HEARTBEAT]))) {
        return;
      }
    }
    const { value } = await next;
    if (value === undefined || !(await sent(attempt, upload, value))) {
      return;
    }
  }
}

/** Whether a promise is settled within this time. */
async function isSettled(promise: Promise<unknown>, ms: number): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  const settled = promise.then(
    () => true,
    () => true,
  );
  try {
    return await Promise.race([settled, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** Sends a message; false if the worker has answered. */
async function sent(attempt: Attempt, upload: Outgoing, message: readonly Uint8Array[]): Promise<boolean> {
  try {
    const isTaken = await upload.send(message, attempt.timeoutMs);
    attempt.going();
    return isTaken;
  } catch (error) {
    throw error instanceof Late ? stuck(attempt, "took no more of the upload", attempt.timeoutMs) : error;
  }
}

async function answer(attempt: Attempt, upload: Outgoing, began: number): Promise<StoreResult[]> {
  // To write may take as long as to send.
  const boundMs = Math.min(attempt.timeoutMs, Math.max(attempt.patienceMs, performance.now() - began));
  try {
    return decoded(StoreResponseSchema, await upload.answer(boundMs)).results;
  } catch (error) {
    throw error instanceof Late ? stuck(attempt, "did not say what became of the upload", boundMs) : error;
  }
}

function stuck(attempt: Attempt, what: string, boundMs: number): CallFailed {
  return unreachable(`the server at ${authority(attempt.worker.address)} ${what} for ${Math.round(boundMs)} ms`);
}

async function* messagesOf(sendings: readonly Sending[]): Messages {
  for (const [index, { header, table }] of sendings.entries()) {
    const last = index + 1 === sendings.length;
    yield [encodedMessage(StoreRequestSchema, { part: { case: "header", value: { ...header, last } } })];
    let rows = 0;
    let checksum = 0;
    for await (const chunk of encoded(table)) {
      rows += chunk.rows;
      for (const piece of chunk.ipc) {
        checksum = crc32(piece, checksum);
      }
      yield chunkMessage(chunk.ipc, chunk.firstRow, chunk.rows);
    }
    const value = { rows: BigInt(rows), crc32: checksum };
    yield [encodedMessage(StoreRequestSchema, { part: { case: "trailer", value } })];
  }
}

// The tags of fields with a length: of `StoreRequest.chunk`, and of `Chunk.ipc`.
const CHUNK_TAG = (2 << 3) | 2;
const IPC_TAG = (1 << 3) | 2;

/** A message with a chunk, in pieces: the bytes of the table are not copied. */
function chunkMessage(ipc: readonly Uint8Array[], firstRow: number, rows: number): Uint8Array[] {
  const place = encodedMessage(ChunkSchema, { firstRow: BigInt(firstRow), rows: BigInt(rows) });
  const length = ipc.reduce((sum, piece) => sum + piece.length, 0);
  const ipcHead = Uint8Array.of(IPC_TAG, ...varint(length));
  const chunkHead = Uint8Array.of(CHUNK_TAG, ...varint(ipcHead.length + length + place.length));
  return [new Uint8Array(Buffer.concat([chunkHead, ipcHead])), ...ipc, place];
}

/** A length as protobuf writes it: seven bits in each byte, the lowest first. */
function varint(value: number): number[] {
  const bytes: number[] = [];
  let rest = value;
  while (rest >= 0x80) {
    bytes.push((rest & 0x7f) | 0x80);
    rest >>>= 7;
  }
  return [...bytes, rest];
}
