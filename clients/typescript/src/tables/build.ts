// Columns of Arrow, made of values of JavaScript whose type is known.

import * as arrow from "apache-arrow";
import { epochNsOf } from "../preciseDate.js";
import { unitNsOf } from "./units.js";

/** A column of these values; `null` and `undefined` are null. */
export function columnOfValues(type: arrow.DataType, values: readonly unknown[]): arrow.Data {
  const { nullCount, nullBitmap } = validityOf(values);
  const common = { length: values.length, nullCount, nullBitmap };
  if (arrow.DataType.isNull(type)) {
    return arrow.makeData({ type, length: values.length });
  }
  if (arrow.DataType.isBool(type)) {
    return arrow.makeData({ type, ...common, data: bitmapOf(values, (value) => value === true) });
  }
  if (arrow.DataType.isInt(type)) {
    const numbers = type.isSigned ? new BigInt64Array(values.length) : new BigUint64Array(values.length);
    values.forEach((value, index) => {
      numbers[index] = value === null || value === undefined ? 0n : BigInt(value as number | bigint);
    });
    return arrow.makeData({ type, ...common, data: numbers as never });
  }
  if (arrow.DataType.isFloat(type)) {
    return arrow.makeData({ type, ...common, data: Float64Array.from(values as number[], (value) => value ?? 0) });
  }
  if (arrow.DataType.isTimestamp(type)) {
    return arrow.makeData({ type, ...common, data: ticksOf(type, values) });
  }
  if (arrow.DataType.isUtf8(type)) {
    const texts = values.map((value) => Buffer.from((value as string | null | undefined) ?? "", "utf8"));
    return arrow.makeData({ type, ...common, ...joined(texts) });
  }
  if (arrow.DataType.isBinary(type)) {
    return arrow.makeData({
      type,
      ...common,
      ...joined(values.map((value) => (value as Uint8Array | null | undefined) ?? EMPTY)),
    });
  }
  return nestedColumn(type, values, common);
}

const EMPTY = new Uint8Array();

interface Common {
  readonly length: number;
  readonly nullCount: number;
  readonly nullBitmap: Uint8Array;
}

function nestedColumn(type: arrow.DataType, values: readonly unknown[], common: Common): arrow.Data {
  if (arrow.DataType.isList(type)) {
    const lists = values.map((value) => (value as unknown[] | null | undefined) ?? []);
    const child = columnOfValues(type.valueType, lists.flat());
    return arrow.makeData({ type, ...common, valueOffsets: endsOf(lists), child });
  }
  if (arrow.DataType.isStruct(type)) {
    const children = type.children.map((field) =>
      columnOfValues(
        field.type,
        values.map((value) => fieldOf(value, field.name)),
      ),
    );
    return arrow.makeData({ type, ...common, children });
  }
  if (arrow.DataType.isMap(type)) {
    const maps = values.map((value) => [...((value as Map<unknown, unknown> | null | undefined) ?? [])]);
    const entries = maps.flat();
    const children = [
      columnOfValues(
        type.keyType,
        entries.map(([key]) => key),
      ),
      columnOfValues(
        type.valueType,
        entries.map(([, value]) => value),
      ),
    ];
    const child = arrow.makeData({ type: type.childType, length: entries.length, nullCount: 0, children });
    return arrow.makeData({ type, ...common, valueOffsets: endsOf(maps), child });
  }
  throw new TypeError(`no values are inferred as ${String(type)}`);
}

function fieldOf(value: unknown, name: string): unknown {
  const object = value as Record<string, unknown> | null | undefined;
  return object !== null && object !== undefined && Object.hasOwn(object, name) ? object[name] : null;
}

function ticksOf(type: arrow.Timestamp, values: readonly unknown[]): BigInt64Array {
  const unitNs = unitNsOf(type.unit);
  const ticks = new BigInt64Array(values.length);
  values.forEach((value, index) => {
    if (value instanceof Date) {
      ticks[index] = epochNsOf(value) / unitNs;
    }
  });
  return ticks;
}

function validityOf(values: readonly unknown[]): { nullCount: number; nullBitmap: Uint8Array } {
  let nullCount = 0;
  for (let index = 0; index < values.length; index += 1) {
    const value = values[index];
    nullCount += value === null || value === undefined ? 1 : 0;
  }
  const nullBitmap = nullCount === 0 ? EMPTY : bitmapOf(values, (value) => value !== null && value !== undefined);
  return { nullCount, nullBitmap };
}

function bitmapOf(values: readonly unknown[], isSet: (value: unknown) => boolean): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil(values.length / 8));
  for (let index = 0; index < values.length; index += 1) {
    if (isSet(values[index])) {
      bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
    }
  }
  return bitmap;
}

function joined(values: readonly Uint8Array[]): { valueOffsets: Int32Array; data: Uint8Array } {
  return { valueOffsets: endsOf(values), data: new Uint8Array(Buffer.concat(values)) };
}

function endsOf(values: readonly { readonly length: number }[]): Int32Array {
  const ends = new Int32Array(values.length + 1);
  values.forEach(({ length }, index) => {
    ends[index + 1] = (ends[index] ?? 0) + length;
  });
  return ends;
}
