// The ids by which a server recognises a write that it was sent before.

import { randomBytes } from "node:crypto";

/** A UUID of version 7 (RFC 9562): the milliseconds since 1970, and 74 random bits. Its age is known. */
export function freshRequestId(nowMs: number = Date.now()): string {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(nowMs, 0, 6);
  bytes[6] = 0x70 | ((bytes[6] ?? 0) & 0x0f);
  bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** The id of a table in a call, counted from 0. */
export function requestIdOf(call: string, ordinal: number): string {
  return `${call}/${ordinal}`;
}
