// Values of columns as those of JavaScript, with all their digits.

import type { Data, DataType } from "apache-arrow";
import * as arrow from "apache-arrow";
import { NS_PER_MS, PreciseDate } from "../preciseDate.js";
import { decimalAt } from "./decimals.js";
import { unitNsOf } from "./units.js";

/** Gives a value that is not null. */
type Read = (index: number) => unknown;

const MS_PER_DAY = 86_400_000;

/** What gives the value at a place of a column, or `null`. */
export function reader(data: Data): Read {
  const read = readerOfValid(data);
  if (arrow.DataType.isUnion(data.type)) {
    return read;
  }
  return data.nullCount === 0 ? read : (index) => (data.getValid(index) ? read(index) : null);
}

function readerOfValid(data: Data): Read {
  const make = readersByType[data.type.typeId as arrow.Type];
  if (make !== undefined) {
    return make(data);
  }
  // Those of apache-arrow are right for all other types.
  const vector = new arrow.Vector([data]);
  return (index) => vector.get(index);
}

const readersByType: Partial<Record<arrow.Type, (data: Data) => Read>> = {
  [arrow.Type.Null]: () => () => null,
  [arrow.Type.Date]: (data) => {
    const { values } = data as Data<arrow.Date_>;
    return typeIs(data, arrow.DataType.isDate).unit === arrow.DateUnit.DAY
      ? (index) => new Date(Number(values[index]) * MS_PER_DAY)
      : (index) => new Date(Number(values[index]));
  },
  [arrow.Type.Timestamp]: (data) => {
    const { unit } = typeIs(data, arrow.DataType.isTimestamp);
    const values = data.values as BigInt64Array;
    const unitNs = unitNsOf(unit);
    if (unit === arrow.TimeUnit.SECOND || unit === arrow.TimeUnit.MILLISECOND) {
      const unitMs = Number(unitNs / NS_PER_MS);
      return (index) => new Date(Number(values[index]) * unitMs);
    }
    return (index) => new PreciseDate((values[index] ?? 0n) * unitNs);
  },
  [arrow.Type.Decimal]: (data) => {
    const { scale, bitWidth } = typeIs(data, arrow.DataType.isDecimal);
    const words = bitWidth / 32;
    const values = data.values as Uint32Array;
    return (index) => decimalAt(values, words, index, scale);
  },
  [arrow.Type.Interval]: (data) => {
    const { unit } = typeIs(data, arrow.DataType.isInterval);
    const values = data.values as Int32Array;
    return (index) => interval(values, unit, index);
  },
  [arrow.Type.List]: listReader,
  [arrow.Type.LargeList]: listReader,
  [arrow.Type.FixedSizeList]: (data) => {
    const { listSize } = typeIs(data, arrow.DataType.isFixedSizeList);
    const read = reader(child(data, 0));
    return (index) => Array.from({ length: listSize }, (_, place) => read(index * listSize + place));
  },
  [arrow.Type.Map]: (data) => {
    const entries = child(data, 0);
    const [key, value] = [reader(child(entries, 0)), reader(child(entries, 1))];
    const offsets = data.valueOffsets as Int32Array;
    return (index) => {
      const map = new Map<unknown, unknown>();
      for (let place = offsets[index] ?? 0; place < (offsets[index + 1] ?? 0); place += 1) {
        map.set(key(place), value(place));
      }
      return map;
    };
  },
  [arrow.Type.Struct]: (data) => {
    const { children } = typeIs(data, arrow.DataType.isStruct);
    const fields = children.map(({ name }, index) => [name, reader(child(data, index))] as const);
    return (index) => Object.fromEntries(fields.map(([name, read]) => [name, read(index)]));
  },
  [arrow.Type.Union]: (data) => {
    const { mode, typeIdToChildIndex } = typeIs(data, arrow.DataType.isUnion);
    const reads = data.children.map(reader);
    const [typeIds, offsets] = [data.typeIds as Int8Array, data.valueOffsets as Int32Array];
    const isDense = mode === arrow.UnionMode.Dense;
    return (index) => {
      const read = reads[typeIdToChildIndex[typeIds[index] ?? 0] ?? 0];
      return read?.(isDense ? (offsets[index] ?? 0) : index);
    };
  },
  [arrow.Type.Dictionary]: (data) => {
    const chunks = (data.dictionary?.data ?? []).map((chunk) => ({ length: chunk.length, read: reader(chunk) }));
    const values = data.values as Int32Array;
    const known = new Map<number, unknown>();
    return (index) => {
      const number = values[index] ?? 0;
      if (!known.has(number)) {
        known.set(number, chunked(chunks, number));
      }
      return known.get(number);
    };
  },
};

function listReader(data: Data): Read {
  const read = reader(child(data, 0));
  const offsets = data.valueOffsets as Int32Array | BigInt64Array;
  return (index) => {
    const [begin, end] = [Number(offsets[index]), Number(offsets[index + 1])];
    return Array.from({ length: end - begin }, (_, place) => read(begin + place));
  };
}

function chunked(chunks: readonly { length: number; read: Read }[], index: number): unknown {
  let place = index;
  for (const { length, read } of chunks) {
    if (place < length) {
      return read(place);
    }
    place -= length;
  }
  return null;
}

/** A length of time in parts that have no fixed length among them. */
function interval(values: Int32Array, unit: arrow.IntervalUnit, index: number): Record<string, number | bigint> {
  const at = (place: number): number => values[place] ?? 0;
  switch (unit) {
    case arrow.IntervalUnit.YEAR_MONTH:
      return { months: at(index) };
    case arrow.IntervalUnit.DAY_TIME:
      return { days: at(index * 2), milliseconds: at(index * 2 + 1) };
    default: {
      const nanoseconds = (BigInt(at(index * 4 + 3)) << 32n) | BigInt(at(index * 4 + 2) >>> 0);
      return { months: at(index * 4), days: at(index * 4 + 1), nanoseconds };
    }
  }
}

function child(data: Data, index: number): Data {
  const found = data.children[index];
  if (found === undefined) {
    throw new TypeError(`a column of type ${String(data.type)} has no child ${index}`);
  }
  return found;
}

function typeIs<T extends DataType>(data: Data, is: (type: unknown) => type is T): T {
  const type: unknown = data.type;
  if (!is(type)) {
    throw new TypeError(`${String(data.type)} is another type than its id says`);
  }
  return type;
}
