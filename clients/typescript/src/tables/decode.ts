// Makes batches of the chunks of one stream.

import * as arrow from "apache-arrow";
import { DictionaryBatch } from "apache-arrow/fb/dictionary-batch";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { RecordBatch as BatchMetadata } from "apache-arrow/fb/record-batch";
import { Schema as SchemaMetadata } from "apache-arrow/fb/schema";
import { PolarwayError } from "../errors.js";
import { Body } from "./body.js";
import type { Column, DictionaryColumn } from "./columns.js";
import { Budget, columnOf, customMetadata } from "./columns.js";
import { messagesOf, notArrow } from "./wire.js";

/** Reads one Arrow IPC stream, chunk by chunk. */
export class StreamDecoder {
  #schema: arrow.Schema | undefined;
  #columns: readonly Column[] = [];
  #dictionaryColumns = new Map<bigint, DictionaryColumn>();
  readonly #dictionaries = new Map<bigint, arrow.Vector>();
  #isComplete = false;

  /** The table's columns, after the first chunk. */
  get schema(): arrow.Schema | undefined {
    return this.#schema;
  }

  /** Whether the mark at the end of the stream has come. Only this shows that a table is complete. */
  get isComplete(): boolean {
    return this.#isComplete;
  }

  /** The batches in a chunk, in which there are whole messages. Their columns are views of it. */
  decode(ipc: Uint8Array): arrow.RecordBatch[] {
    try {
      return this.#batches(ipc);
    } catch (error) {
      // The readers of flatbuffers throw errors of their own if the metadata is damaged.
      throw error instanceof PolarwayError ? error : notArrow(String(error));
    }
  }

  #batches(ipc: Uint8Array): arrow.RecordBatch[] {
    const batches: arrow.RecordBatch[] = [];
    for (const message of messagesOf(ipc)) {
      if (this.#isComplete) {
        throw notArrow("there is more behind its end");
      }
      if (message === undefined) {
        this.#isComplete = true;
        continue;
      }
      const { metadata, body } = message;
      switch (metadata.headerType()) {
        case MessageHeader.Schema:
          this.#begin(metadata.header(new SchemaMetadata()));
          break;
        case MessageHeader.DictionaryBatch:
          this.#addDictionary(metadata.header(new DictionaryBatch()), body);
          break;
        case MessageHeader.RecordBatch:
          batches.push(this.#batch(metadata.header(new BatchMetadata()), body));
          break;
        default:
          throw notArrow(`a message is of type ${metadata.headerType()}`);
      }
    }
    return batches;
  }

  #begin(metadata: SchemaMetadata | null): void {
    if (metadata === null || this.#schema !== undefined) {
      throw notArrow("it has more than one schema, or an empty one");
    }
    const { schema, columns } = columnsOf(metadata);
    this.#schema = schema;
    this.#columns = columns;
    for (const column of columns.flatMap(({ dictionaries }) => dictionaries)) {
      this.#dictionaryColumns.set(column.id, column);
    }
  }

  #addDictionary(metadata: DictionaryBatch | null, bytes: Uint8Array): void {
    const id = metadata?.id();
    const column = id === undefined ? undefined : this.#dictionaryColumns.get(id);
    const content = metadata?.data() ?? null;
    if (metadata === null || id === undefined || column === undefined || content === null) {
      throw notArrow("no column has the dictionary that came");
    }
    const values = column.read(new Body(content, bytes, this.#dictionaries));
    const before = metadata.isDelta() ? (this.#dictionaries.get(id)?.data ?? []) : [];
    // A text that is in many rows is made once.
    this.#dictionaries.set(id, new arrow.Vector([...before, values]).memoize());
  }

  #batch(metadata: BatchMetadata | null, bytes: Uint8Array): arrow.RecordBatch {
    const schema = this.#schema;
    if (metadata === null || schema === undefined) {
      throw notArrow("rows came before the schema");
    }
    const body = new Body(metadata, bytes, this.#dictionaries);
    const children = this.#columns.map((column) => column.read(body));
    return batchOf(schema, body.length, children);
  }
}

/** The columns that a schema, as bytes of a stream or of a single message, describes. */
export function schemaOf(ipc: Uint8Array): arrow.Schema {
  try {
    for (const message of messagesOf(ipc)) {
      const metadata = message?.metadata.header(new SchemaMetadata()) as SchemaMetadata | null | undefined;
      if (metadata !== null && metadata !== undefined && message?.metadata.headerType() === MessageHeader.Schema) {
        return columnsOf(metadata).schema;
      }
    }
  } catch (error) {
    throw error instanceof PolarwayError ? error : notArrow(String(error));
  }
  throw notArrow("it has no schema");
}

/** A batch of these columns. */
export function batchOf(schema: arrow.Schema, rows: number, children: arrow.Data[]): arrow.RecordBatch {
  const type = new arrow.Struct(schema.fields);
  return new arrow.RecordBatch(schema, new arrow.Data(type, 0, rows, 0, undefined, children));
}

function columnsOf(metadata: SchemaMetadata): { schema: arrow.Schema; columns: Column[] } {
  const budget = new Budget();
  budget.take(metadata.fieldsLength());
  const columns = Array.from({ length: metadata.fieldsLength() }, (_, index) => {
    const field = metadata.fields(index);
    if (field === null) {
      throw notArrow("the schema lacks a field");
    }
    return columnOf(field, budget);
  });
  const fields = columns.map(({ field }) => field);
  return { schema: schemaWith(fields, customMetadata(metadata, budget)), columns };
}

/**
 * A schema whose columns may have the same name.
 *
 * A batch makes its schema anew out of that which it is given, column by column, and looks for each by its name. With
 * two columns of one name that gives another schema, and with a thousand columns it takes longer than to read them. So
 * this schema gives itself.
 */
export function schemaWith(fields: arrow.Field[], metadata: Map<string, string>): arrow.Schema {
  const schema = new arrow.Schema(fields, metadata);
  const assign = schema.assign.bind(schema) as (...others: unknown[]) => arrow.Schema;
  function assignOthers(...others: unknown[]): arrow.Schema {
    const [given] = others;
    const isSame =
      Array.isArray(given) && given.length === fields.length && given.every((field, index) => field === fields[index]);
    return isSame ? schema : assign(...others);
  }
  Object.defineProperty(schema, "assign", { value: assignOthers, enumerable: false });
  return schema;
}
