// Batches that arrive one after the other, and tables of them.

import type { RecordBatch, Schema } from "apache-arrow";
import { protocolError } from "./failure.js";
import { PolarwayTable } from "./tables/table.js";

/** Batches that come from a load or a query. */
export interface Batches {
  /** The columns, once it has begun. */
  readonly schema: Schema | undefined;
  /** Waits for the first answer. To begin twice does nothing. */
  begin(): Promise<void>;
  /** The next batch; `undefined` behind the last. */
  next(): Promise<RecordBatch | undefined>;
  /** Ends the call, so that the server stops its work. */
  close(): void;
}

/** One table of all batches that come. */
export async function tableOf(batches: Batches): Promise<PolarwayTable> {
  const found: RecordBatch[] = [];
  try {
    for (let batch = await batches.next(); batch !== undefined; batch = await batches.next()) {
      found.push(batch);
    }
  } catch (error) {
    batches.close();
    throw error;
  }
  return joined(batches.schema, found);
}

/** One table of these batches. */
export function joined(schema: Schema | undefined, batches: readonly RecordBatch[]): PolarwayTable {
  if (schema === undefined) {
    throw protocolError("a table came without a schema");
  }
  return new PolarwayTable(schema, batches);
}
