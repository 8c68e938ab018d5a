// Messages of gRPC: five bytes, of which the last four are the length, and the message.

import { protocolError } from "../failure.js";

/** The bytes before a message. */
export const PREFIX_BYTES = 5;

/** The longest message that a server may send: a chunk, and what is around it. */
export const MOST_BYTES = 65 << 20;

// Arrow reads values of eight bytes in place if they are so aligned in memory.
const ALIGNMENT = 64;

// So many bytes of a message show where its Arrow data begins: before it there are two lengths, and the numbers of two
// rows.
const SHOWN_BYTES = 40;

/** The bytes before a message of this length. */
export function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES);
  new DataView(bytes.buffer).setUint32(1, length);
  return bytes;
}

/**
 * Makes messages of the bytes that arrive.
 *
 * Each message is in memory of its own, which the tables made of it keep. It lies there so that the Arrow data of a
 * chunk is aligned, since columns that are not would have to be copied.
 */
export class MessageReader {
  // The bytes before the message, or as many of its first ones as show where it should lie.
  readonly #head = new Uint8Array(PREFIX_BYTES + SHOWN_BYTES);
  #headLength = 0;
  #message: Uint8Array | undefined;
  #filled = 0;

  /** Takes the next bytes, and gives the messages that are complete with them. */
  push(piece: Uint8Array): Uint8Array[] {
    const complete: Uint8Array[] = [];
    let offset = 0;
    while (offset < piece.length) {
      if (this.#message === undefined) {
        const taken = Math.min(this.#headWanted() - this.#headLength, piece.length - offset);
        this.#head.set(piece.subarray(offset, offset + taken), this.#headLength);
        this.#headLength += taken;
        offset += taken;
        if (this.#headLength < this.#headWanted()) {
          continue;
        }
        this.#begin();
      } else {
        const taken = Math.min(this.#message.length - this.#filled, piece.length - offset);
        this.#message.set(piece.subarray(offset, offset + taken), this.#filled);
        this.#filled += taken;
        offset += taken;
      }
      if (this.#message !== undefined && this.#filled === this.#message.length) {
        complete.push(this.#message);
        this.#message = undefined;
        this.#headLength = 0;
      }
    }
    return complete;
  }

  /** Whether a message has begun and is not complete. */
  get isInside(): boolean {
    return this.#headLength > 0;
  }

  /** How many bytes must be there before the message can be laid out. */
  #headWanted(): number {
    return this.#headLength < PREFIX_BYTES ? PREFIX_BYTES : PREFIX_BYTES + Math.min(this.#length(), SHOWN_BYTES);
  }

  #length(): number {
    return new DataView(this.#head.buffer).getUint32(1);
  }

  #begin(): void {
    const length = this.#length();
    if (this.#head[0] !== 0) {
      throw protocolError("the server sent a compressed message, which it was not asked for");
    }
    if (length > MOST_BYTES) {
      throw protocolError(`the server sent a message of ${length} bytes: more than ${MOST_BYTES} are not taken`);
    }
    const shown = this.#head.subarray(PREFIX_BYTES, this.#headLength);
    const offset = (ALIGNMENT - (arrowOffset(shown) % ALIGNMENT)) % ALIGNMENT;
    // Memory that is not cleared first: every byte is written before the message is given.
    const memory = Buffer.allocUnsafeSlow(offset + length);
    const message = new Uint8Array(memory.buffer, memory.byteOffset + offset, length);
    message.set(shown);
    this.#message = message;
    this.#filled = shown.length;
  }
}

/** Where the Arrow data begins in a message whose field 1 is a chunk, of which it is field 1. Otherwise 0. */
function arrowOffset(message: Uint8Array): number {
  const chunk = contentOfFirst(message, 0);
  return (chunk === undefined ? undefined : contentOfFirst(message, chunk)) ?? 0;
}

// Field 1, with a length; and the bits of a tag that say what a field is, of which 0 is a number.
const FIRST_FIELD = 0x0a;
const KIND_BITS = 7;

/** Where the content of field 1 begins, in front of which there may be numbers. */
function contentOfFirst(message: Uint8Array, start: number): number | undefined {
  let offset = start;
  while (offset < message.length) {
    const tag = message[offset] ?? 0;
    const next = afterNumber(message, offset + 1);
    if (tag === FIRST_FIELD) {
      return next <= message.length ? next : undefined;
    }
    if ((tag & KIND_BITS) !== 0) {
      return undefined;
    }
    offset = next;
  }
  return undefined;
}

/** Where the number ends that begins here. */
function afterNumber(message: Uint8Array, start: number): number {
  let offset = start;
  while ((message[offset] ?? 0) >= 0x80) {
    offset += 1;
  }
  return offset + 1;
}
