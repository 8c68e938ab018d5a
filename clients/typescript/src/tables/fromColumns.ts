// Tables out of columns: arrays, typed arrays, and columns of Arrow.

import * as arrow from "apache-arrow";
import { invalidInput } from "../failure.js";
import { columnOfValues } from "./build.js";
import { inferredType } from "./infer.js";
import type { OutgoingBatch, OutgoingData, OutgoingTable, OutgoingType } from "./outgoing.js";
import { isAnyVector, ownSchema } from "./outgoing.js";

/** The values of a column: in an array, whose type is inferred; in a typed array; or in a column of Arrow. */
export type ColumnValues =
  | readonly unknown[]
  | Int8Array
  | Int16Array
  | Int32Array
  | BigInt64Array
  | Uint8Array
  | Uint8ClampedArray
  | Uint16Array
  | Uint32Array
  | BigUint64Array
  | Float32Array
  | Float64Array
  | arrow.Vector;

/** Columns by their names. */
export type Columns = Readonly<Record<string, ColumnValues>>;

// Values of arrays become Arrow in groups of so many rows, while they are sent.
const GROUP_ROWS = 1 << 16;

/** A column of values of any kind. */
interface Source {
  readonly type: OutgoingType;
  readonly nullable: boolean;
  readonly rows: number;
  /** Where its pieces begin, apart from row 0. */
  readonly borders: readonly number[];
  /** Some of its rows, which lie within one piece. */
  readonly piece: (begin: number, end: number) => OutgoingData;
}

/** The table that consists of these columns. Those that can't be stored are refused by name. */
export function tableFromColumns(columns: Columns): OutgoingTable {
  const sources = Object.entries(columns).map(([name, values]) => [name, sourceOf(name, values)] as const);
  const [first] = sources;
  if (first === undefined) {
    throw invalidInput("the table has no columns");
  }
  const { rows } = first[1];
  const other = sources.find(([, source]) => source.rows !== rows);
  if (other !== undefined) {
    throw invalidInput(`column "${other[0]}" has ${other[1].rows} values, and column "${first[0]}" has ${rows}`);
  }
  const fields = sources.map(([name, { type, nullable }]) => ({ name, type, nullable }));
  const borders = bordersOf(
    sources.map(([, source]) => source),
    rows,
  );
  function* batches(): Generator<OutgoingBatch> {
    for (const [index, end] of borders.slice(1).entries()) {
      const begin = borders[index] ?? 0;
      yield { rows: end - begin, columns: sources.map(([, source]) => source.piece(begin, end)) };
    }
  }
  return { schema: ownSchema(fields), batches, isRepeatable: () => true };
}

/** Where any column has a new piece, from the first row to the one behind the last. */
function bordersOf(sources: readonly Source[], rows: number): number[] {
  const borders = new Set([0, rows, ...sources.flatMap((source) => source.borders)]);
  return [...borders].sort((one, other) => one - other);
}

function sourceOf(name: string, values: unknown): Source {
  if (!name.isWellFormed()) {
    throw invalidInput(`the name of column "${name}" has half of a character`);
  }
  if (Array.isArray(values)) {
    return ofArray(name, values);
  }
  if (ArrayBuffer.isView(values)) {
    return ofTypedArray(name, values);
  }
  if (isAnyVector(values)) {
    return ofVector(values);
  }
  throw invalidInput(`column "${name}" is no array: give an array, a typed array or a column of Arrow`);
}

function ofArray(name: string, values: readonly unknown[]): Source {
  const type = inferredType("column", name, values);
  const borders = Array.from(
    { length: Math.floor(values.length / GROUP_ROWS) },
    (_, group) => (group + 1) * GROUP_ROWS,
  );
  const piece = (begin: number, end: number) => columnOfValues(type, values.slice(begin, end));
  return {
    type: type as unknown as OutgoingType,
    nullable: true,
    rows: values.length,
    borders,
    piece: piece as unknown as Source["piece"],
  };
}

const TYPED_ARRAYS: Readonly<Record<string, () => arrow.DataType>> = {
  Int8Array: () => new arrow.Int8(),
  Int16Array: () => new arrow.Int16(),
  Int32Array: () => new arrow.Int32(),
  BigInt64Array: () => new arrow.Int64(),
  Uint8Array: () => new arrow.Uint8(),
  Uint8ClampedArray: () => new arrow.Uint8(),
  Uint16Array: () => new arrow.Uint16(),
  Uint32Array: () => new arrow.Uint32(),
  BigUint64Array: () => new arrow.Uint64(),
  Float32Array: () => new arrow.Float32(),
  Float64Array: () => new arrow.Float64(),
};

function ofTypedArray(name: string, values: ArrayBufferView): Source {
  // By its own name, as an array of another realm, or a Buffer, is not of the class of this one.
  const kind = String(Reflect.get(values, Symbol.toStringTag));
  const type = TYPED_ARRAYS[kind]?.();
  if (type === undefined) {
    throw invalidInput(`column "${name}" is a ${kind || "DataView"}, for which there is no type`);
  }
  const array = values as Int32Array;
  const piece = (begin: number, end: number): OutgoingData => ({
    type: type as unknown as OutgoingType,
    length: end - begin,
    offset: 0,
    stride: 1,
    nullCount: 0,
    values: array.subarray(begin, end),
    children: [],
  });
  return { type: type as unknown as OutgoingType, nullable: true, rows: array.length, borders: [], piece };
}

function ofVector({ data, type }: { readonly data: readonly OutgoingData[]; readonly type: OutgoingType }): Source {
  const starts: number[] = [];
  let rows = 0;
  for (const { length } of data) {
    starts.push(rows);
    rows += length;
  }
  const piece = (begin: number, end: number): OutgoingData => {
    const index = starts.findLastIndex((start) => start <= begin);
    return sliced(data[index], begin - (starts[index] ?? 0), end - begin);
  };
  return { type, nullable: true, rows, borders: starts, piece };
}

function sliced(data: OutgoingData | undefined, begin: number, length: number): OutgoingData {
  if (data === undefined) {
    throw new RangeError(`there is no row ${begin}`);
  }
  if (begin === 0 && length === data.length) {
    return data;
  }
  return (data as unknown as { slice(begin: number, length: number): OutgoingData }).slice(begin, length);
}
