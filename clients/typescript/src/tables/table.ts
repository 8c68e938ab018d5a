// Tables that come from the server.

import type { RecordBatch, Schema } from "apache-arrow";
import { makeData, Table } from "apache-arrow";
import type { TypeMap } from "apache-arrow/type";
import { batchOf } from "./decode.js";
import { keysOf } from "./names.js";
import { drawn } from "./print.js";
import { reader } from "./values.js";

/**
 * An Arrow table that also comes as plain rows or columns, and prints as a table.
 *
 * As rows and columns, whole numbers of 64 bits are `bigint`, decimals are texts with all their digits, bytes are
 * `Uint8Array`, and times are `Date`; those with micro- or nanoseconds are `PreciseDate`, which is a `Date` and keeps
 * them.
 */
export class PolarwayTable<T extends TypeMap = TypeMap> extends Table<T> {
  /** @internal */
  constructor(schema: Schema<T>, batches: readonly RecordBatch<T>[]) {
    // A table of no batches at all would not have its columns.
    super(schema, batches.length > 0 ? [...batches] : [emptyBatch(schema) as RecordBatch<T>]);
  }

  /** The names of the columns, in their order. Two may have the same one. */
  get columnNames(): string[] {
    return this.schema.fields.map(({ name }) => name);
  }

  /** The rows, one object for each. Columns of one name get a number after it. */
  toRows<R = Record<string, unknown>>(): R[] {
    const keys = keysOf(this.columnNames);
    const rows: R[] = [];
    for (const batch of this.batches) {
      const readers = batch.data.children.map(reader);
      for (let row = 0; row < batch.numRows; row += 1) {
        rows.push(Object.fromEntries(readers.map((read, column) => [keys[column], read(row)])) as R);
      }
    }
    return rows;
  }

  /** The values of each column, by its name. Columns of one name get a number after it. */
  toColumns<C = Record<string, unknown[]>>(): C {
    const keys = keysOf(this.columnNames);
    const columns = keys.map((key, column) => {
      const values: unknown[] = [];
      for (const batch of this.batches) {
        const data = batch.data.children[column];
        const read = data === undefined ? undefined : reader(data);
        for (let row = 0; read !== undefined && row < batch.numRows; row += 1) {
          values.push(read(row));
        }
      }
      return [key, values];
    });
    return Object.fromEntries(columns) as C;
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return drawn(this.schema, this.batches, this.numRows);
  }
}

function emptyBatch(schema: Schema): RecordBatch {
  const children = schema.fields.map(({ type }) => makeData({ type, length: 0, nullCount: 0 }));
  return batchOf(schema, 0, children);
}
