// Encodes a table as the chunks that travel: an Arrow IPC stream that is cut at the borders of its messages.
//
// The cuts are those of the Rust client: chunks of about a MiB, larger ones for tables with many columns.

import type { DataType, Schema } from "apache-arrow";
import { Dictionary } from "apache-arrow";
import { invalidInput } from "../failure.js";
import type { ColumnParts } from "./message.js";
import { batchMessage, dictionaryMessage, END, schemaMessage } from "./message.js";
import type { OutgoingBatch, OutgoingData, OutgoingTable } from "./outgoing.js";
import type { Part } from "./parts.js";
import { childParts, slice } from "./parts.js";
import { plainBytes, sentBytes } from "./sizes.js";

const MIB = 1 << 20;

// What a chunk aims at, and the most that a message may have.
const TARGET_BYTES = MIB;
const MOST_BYTES = 64 * MIB;
// The most that the rows of a message may take with every value written out.
const MOST_PLAIN_BYTES = 256 * MIB;

// Chunks of tables with many columns aim at so many rows, as a reader does some work once for each column of a chunk.
const WIDE_ROWS = 1_280;
// So many columns make the target larger by one, up to a bound.
const COLUMNS_PER_TARGET = 64;
const MOST_TARGETS = 16;

/** A part of a table, as it travels. */
export interface EncodedChunk {
  /** Its bytes in pieces, most of which are parts of the table. */
  readonly ipc: readonly Uint8Array[];
  readonly firstRow: number;
  readonly rows: number;
}

/** The chunks of a table, from the one with the schema to the one with the end of the stream. */
export async function* encoded(table: OutgoingTable): AsyncGenerator<EncodedChunk> {
  const encoder = new Encoder(table.schema);
  let pending: Uint8Array[] = schemaMessage(table.schema);
  let nextRow = 0;
  for await (const rows of gathered(table)) {
    for (const part of encoder.cut(rows, nextRow)) {
      for (const message of encoder.messages(part)) {
        if (lengthOf(pending) + lengthOf(message) > MOST_BYTES) {
          yield { ipc: pending, firstRow: nextRow, rows: 0 };
          pending = [];
        }
        pending = [...pending, ...message];
      }
      yield { ipc: pending, firstRow: nextRow, rows: part.rows };
      pending = [];
      nextRow += part.rows;
    }
  }
  yield { ipc: [...pending, END], firstRow: nextRow, rows: 0 };
}

/** Some rows of a table: for each column the parts of it, which may lie in several batches. */
interface Rows {
  readonly rows: number;
  readonly columns: readonly (readonly Part[])[];
}

/** The rows of a table, where small batches are put together until they make a chunk. */
async function* gathered(table: OutgoingTable): AsyncGenerator<Rows> {
  let waiting: OutgoingBatch[] = [];
  let waitingBytes = 0;
  for await (const batch of table.batches()) {
    if (batch.rows === 0) {
      continue;
    }
    const bytes = batch.columns.reduce((sum, data) => sum + sentBytes({ data, begin: 0, length: batch.rows }), 0);
    const [first] = waiting;
    if (first !== undefined && (waitingBytes + bytes > TARGET_BYTES || !haveSameDictionaries(first, batch))) {
      yield together(waiting);
      waiting = [];
      waitingBytes = 0;
    }
    waiting.push(batch);
    waitingBytes += bytes;
  }
  if (waiting.length > 0) {
    yield together(waiting);
  }
}

function together(batches: readonly OutgoingBatch[]): Rows {
  const columns = (batches[0]?.columns ?? []).map((_, column) =>
    batches.flatMap(({ columns: own, rows }) => {
      const data = own[column];
      return data === undefined ? [] : [{ data, begin: 0, length: rows }];
    }),
  );
  return { rows: batches.reduce((sum, { rows }) => sum + rows, 0), columns };
}

function haveSameDictionaries(one: OutgoingBatch, other: OutgoingBatch): boolean {
  const [own, others] = [one.columns.flatMap(dictionariesOf), other.columns.flatMap(dictionariesOf)];
  return own.length === others.length && own.every((dictionary, index) => dictionary === others[index]);
}

function dictionariesOf(data: OutgoingData): object[] {
  return [
    ...(data.dictionary === undefined || data.dictionary === null ? [] : [data.dictionary]),
    ...data.children.flatMap(dictionariesOf),
  ];
}

/** Makes the messages of one stream. */
class Encoder {
  readonly #types: readonly DataType[];
  readonly #targets: number;
  // The dictionaries that were sent last, by their ids.
  readonly #sent = new Map<number, object>();

  constructor(schema: Schema) {
    this.#types = schema.fields.map(({ type }) => type);
    this.#targets = Math.min(Math.max(Math.floor(this.#types.length / COLUMNS_PER_TARGET), 1), MOST_TARGETS);
  }

  /** The rows in parts, each about as large as a chunk should be. */
  *cut(rows: Rows, firstRow: number): Generator<Rows> {
    const target = this.#targetBytes(rows);
    // A stack instead of recursion. It is filled from the end, so that parts leave it in the order of their rows.
    const open = [rows];
    let nextRow = firstRow;
    for (let part = open.pop(); part !== undefined; part = open.pop()) {
      const [sent, plain] = [sizeOf(part, sentBytes), sizeOf(part, plainBytes)];
      if ((sent <= target * 1.25 && plain <= MOST_PLAIN_BYTES) || part.rows === 1) {
        if (sent > MOST_BYTES || plain > MOST_PLAIN_BYTES) {
          const [taken, most] = sent > MOST_BYTES ? [sent, MOST_BYTES] : [plain, MOST_PLAIN_BYTES];
          throw invalidInput(`row ${nextRow} takes ${Math.ceil(taken)} bytes, but a row can have at most ${most}`);
        }
        yield part;
        nextRow += part.rows;
        continue;
      }
      const pieces = Math.min(Math.max(Math.ceil(sent / target), Math.ceil(plain / MOST_PLAIN_BYTES), 2), part.rows);
      open.push(...split(part, pieces).toReversed());
    }
  }

  /** The messages with the dictionaries of these rows that were not sent last, and the one with the rows. */
  *messages({ rows, columns }: Rows): Generator<Uint8Array[]> {
    const typed = columns.map((parts, column) => this.#column(column, parts));
    for (const { type, parts } of typed) {
      yield* this.#dictionariesOf(type, parts);
    }
    yield batchMessage(rows, typed);
  }

  #column(column: number, parts: readonly Part[]): ColumnParts {
    const type = this.#types[column];
    if (type === undefined) {
      throw invalidInput(`a batch has ${column + 1} columns, and the table ${this.#types.length}`);
    }
    return { type, parts };
  }

  *#dictionariesOf(type: DataType, parts: readonly Part[]): Generator<Uint8Array[]> {
    if (!(type instanceof Dictionary)) {
      for (const [index, field] of (type.children ?? []).entries()) {
        yield* this.#dictionariesOf(field.type, childParts(parts, index));
      }
      return;
    }
    const dictionary = parts[0]?.data.dictionary;
    if (dictionary === undefined || dictionary === null || this.#sent.get(type.id) === dictionary) {
      return;
    }
    const values = dictionary.data.map((data) => ({ data, begin: 0, length: data.length }));
    // A dictionary may have values that are in dictionaries, which come first.
    yield* this.#dictionariesOf(type.dictionary, values);
    const message = dictionaryMessage(type.id, { type: type.dictionary, parts: values });
    if (lengthOf(message) > MOST_BYTES) {
      throw invalidInput(`a dictionary takes ${lengthOf(message)} bytes, but one can have at most ${MOST_BYTES}`);
    }
    this.#sent.set(type.id, dictionary);
    yield message;
  }

  #targetBytes(rows: Rows): number {
    if (this.#targets === 1) {
      return TARGET_BYTES;
    }
    const rowBytes = sizeOf(rows, sentBytes) / rows.rows;
    return Math.max(TARGET_BYTES, Math.min(rowBytes * WIDE_ROWS, this.#targets * TARGET_BYTES));
  }
}

function sizeOf({ columns }: Rows, size: (part: Part) => number): number {
  return columns.reduce((sum, parts) => sum + parts.reduce((bytes, part) => bytes + size(part), 0), 0);
}

/** Rows in so many pieces, cut at multiples of eight rows where that is possible: bits are used where they lie then. */
function split(rows: Rows, pieces: number): Rows[] {
  const borders = Array.from({ length: pieces + 1 }, (_, piece) => border(rows.rows, piece, pieces));
  return borders
    .slice(1)
    .map((end, piece) => rowsFrom(rows, borders[piece] ?? 0, end))
    .filter((part) => part.rows > 0);
}

function border(rows: number, piece: number, pieces: number): number {
  const exact = Math.floor((rows * piece) / pieces);
  return piece === 0 || piece === pieces || rows / pieces < 16 ? exact : Math.floor(exact / 8) * 8;
}

function rowsFrom({ columns }: Rows, begin: number, end: number): Rows {
  return { rows: end - begin, columns: columns.map((parts) => partsFrom(parts, begin, end)) };
}

function partsFrom(parts: readonly Part[], begin: number, end: number): Part[] {
  const found: Part[] = [];
  let first = 0;
  for (const part of parts) {
    const [from, to] = [Math.max(begin - first, 0), Math.min(end - first, part.length)];
    if (from < to) {
      found.push(slice(part, from, to - from));
    }
    first += part.length;
  }
  return found;
}

function lengthOf(pieces: readonly Uint8Array[]): number {
  return pieces.reduce((sum, piece) => sum + piece.length, 0);
}
