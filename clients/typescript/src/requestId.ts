// The ids by which a server recognises a write that it was sent before.

import { randomBytes } from "node:crypto";
import { invalidInput } from "./failure.js";

/** The form of a UUID of version 7. */
const UUID_7 = /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/i;

/**
 * An id for a write: a UUID of version 7 (RFC 9562), which has its time.
 *
 * A program that may be restarted in the middle of its work keeps the id, and gives it to `store`, `append` or `delete`
 * as `request` each time: within ten minutes, the write is carried out once.
 */
export function freshRequest(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The id that a user gave for a write, or a fresh one. */
export function requestOf(given: unknown): string {
  if (given === undefined) {
    return freshRequest();
  }
  if (typeof given !== "string" || !UUID_7.test(given)) {
    throw invalidInput(`${String(given)} is no UUID of version 7: freshRequest gives one`);
  }
  return given;
}

/** The id of one of the tables that a call makes, which are counted from 0. */
export function requestIdOf(call: string, ordinal: number): string {
  return `${call}/${ordinal}`;
}
