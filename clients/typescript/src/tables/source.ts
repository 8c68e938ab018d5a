// What users can store.

import type { RecordBatch, Table } from "apache-arrow";
import { invalidInput } from "../failure.js";
import { describedObject, isPlain } from "../objects.js";
import type { Columns } from "./fromColumns.js";
import { tableFromColumns } from "./fromColumns.js";
import type { AnyBatch, OutgoingBatch, OutgoingTable } from "./outgoing.js";
import { batchOfAny, isAnyBatch, isAnyTable, ownSchema } from "./outgoing.js";

/** Batches of one table, one after the other. */
export type BatchesOfTable = Iterable<RecordBatch> | AsyncIterable<RecordBatch>;

/**
 * What can be stored: columns by their names; a table or a batch of any copy of the library apache-arrow; batches, such
 * as a `RecordBatchReader` gives them, which are read while they are sent; or a function that opens such a source, so
 * that an upload that breaks can be made again.
 */
export type TableSource =
  | Columns
  | Table
  | RecordBatch
  | BatchesOfTable
  | (() => BatchesOfTable | Promise<BatchesOfTable>);

/** A table in any of the forms that users have. */
export async function outgoing(source: unknown): Promise<OutgoingTable> {
  if (isAnyTable(source)) {
    const { schema, batches } = source;
    return {
      schema: ownSchema(schema.fields, schema.metadata),
      batches: () => batches.map(batchOfAny),
      isRepeatable: () => true,
    };
  }
  if (isAnyBatch(source)) {
    const schema = ownSchema(source.schema.fields, source.schema.metadata);
    return { schema, batches: () => [batchOfAny(source)], isRepeatable: () => true };
  }
  if (Array.isArray(source) && source.length > 0 && source.every(isAnyBatch)) {
    return opened(async () => source, true);
  }
  if (typeof source === "function") {
    return opened(async () => (await source()) as unknown, true);
  }
  if (isIterable(source)) {
    return opened(async () => source, false);
  }
  if (typeof source === "object" && source !== null && isPlain(source)) {
    return tableFromColumns(source as Columns);
  }
  throw invalidInput(`${described(source)} is no table: give {column: values}, an Arrow Table, or batches`);
}

function isIterable(source: unknown): source is Iterable<unknown> | AsyncIterable<unknown> {
  // An array of rows, or of columns, would look like batches.
  const candidate = source as Partial<Iterable<unknown> & AsyncIterable<unknown>> | null;
  if (
    typeof source !== "object" ||
    source === null ||
    Array.isArray(source) ||
    source instanceof Map ||
    ArrayBuffer.isView(source)
  ) {
    return false;
  }
  return typeof candidate?.[Symbol.asyncIterator] === "function" || typeof candidate?.[Symbol.iterator] === "function";
}

function described(source: unknown): string {
  if (Array.isArray(source)) {
    return "an array";
  }
  return typeof source === "object" && source !== null ? describedObject(source) : String(source);
}

/** A table whose batches are read while it is sent. Its columns are those of the first batch, which is read at once. */
async function opened(open: () => Promise<unknown>, isRepeatable: boolean): Promise<OutgoingTable> {
  let first: AsyncIterator<AnyBatch> | undefined = iterate(await open());
  const begun = await first.next();
  if (begun.done === true) {
    throw invalidInput("there are no batches, and so no columns");
  }
  const { schema } = begun.value;
  let isUnread = true;
  async function* batches(): AsyncGenerator<OutgoingBatch> {
    const isFirst = isUnread;
    isUnread = false;
    const iterator = isFirst && first !== undefined ? first : iterate(await open());
    first = undefined;
    try {
      if (isFirst) {
        yield batchOfAny(begun.value as AnyBatch);
      }
      for (let step = await iterator.next(); step.done !== true; step = await iterator.next()) {
        checkSame(schema, step.value);
        yield batchOfAny(step.value);
      }
    } finally {
      await iterator.return?.();
    }
  }
  return { schema: ownSchema(schema.fields, schema.metadata), batches, isRepeatable: () => isRepeatable || isUnread };
}

async function* iterate(source: unknown): AsyncGenerator<AnyBatch> {
  if (!(Array.isArray(source) || isIterable(source))) {
    throw invalidInput(`${described(source)} gives no batches`);
  }
  for await (const batch of source) {
    if (isAnyTable(batch)) {
      yield* batch.batches;
    } else if (isAnyBatch(batch)) {
      yield batch;
    } else {
      throw invalidInput(`${described(batch)} is no batch: give RecordBatches of Arrow`);
    }
  }
}

function checkSame(schema: AnyBatch["schema"], batch: AnyBatch): void {
  const shownOf = ({ fields }: AnyBatch["schema"]) =>
    fields.map(({ name, type }) => `${name}: ${String(type)}`).join(", ");
  if (batch.schema !== schema && shownOf(batch.schema) !== shownOf(schema)) {
    throw invalidInput(`a batch has the columns ${shownOf(batch.schema)}, and the first one ${shownOf(schema)}`);
  }
}
