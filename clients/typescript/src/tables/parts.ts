// Some rows of a column, which may lie in several batches, as the buffers of one.

import { Type } from "apache-arrow";
import type { OutgoingData } from "./outgoing.js";

/** Rows of a column of one batch. */
export interface Part {
  readonly data: OutgoingData;
  /** The first of them, counted from the first row of the column. */
  readonly begin: number;
  readonly length: number;
}

/** A buffer, in pieces that follow one another. */
export type Pieces = readonly Uint8Array[];

/** The bytes of a view: a length, and the value or where it is. */
export const VIEW_BYTES = 16;
/** The longest value that is in its view. */
export const INLINE_BYTES = 12;

/** Rows of a part. */
export function slice({ data, begin }: Part, from: number, length: number): Part {
  return { data, begin: begin + from, length };
}

/** The rows of all parts together. */
export function rowsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, { length }) => sum + length, 0);
}

/** The bits of some rows, from a bitmap that begins `data.offset` rows before them. */
export function bits(parts: readonly Part[], bitmapOf: (data: OutgoingData) => Uint8Array | undefined): Pieces {
  const [only] = parts;
  if (only !== undefined && parts.length === 1) {
    const [bitmap, first] = [bitmapOf(only.data), only.data.offset + only.begin];
    if (bitmap !== undefined && bitmap.length > 0 && first % 8 === 0) {
      return [bytesOf(bitmap).subarray(first / 8, first / 8 + Math.ceil(only.length / 8))];
    }
  }
  const packed = new Uint8Array(Math.ceil(rowsOf(parts) / 8));
  let row = 0;
  for (const { data, begin, length } of parts) {
    const bitmap = bitmapOf(data);
    for (let index = data.offset + begin; index < data.offset + begin + length; index += 1, row += 1) {
      // Without a bitmap all values are there.
      const isSet =
        bitmap === undefined || bitmap.length === 0 || ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0;
      if (isSet) {
        packed[row >> 3] = (packed[row >> 3] ?? 0) | (1 << (row & 7));
      }
    }
  }
  return [packed];
}

/** How many values of some rows are null. */
export function nullsOf(parts: readonly Part[]): number {
  return parts.reduce((sum, part) => sum + nullsOfPart(part), 0);
}

function nullsOfPart({ data, begin, length }: Part): number {
  const { nullBitmap } = data;
  if (data.type.typeId === Type.Null) {
    return length;
  }
  if (data.nullCount === 0 || nullBitmap === undefined || nullBitmap.length === 0) {
    return 0;
  }
  let valid = 0;
  const [first, end] = [data.offset + begin, data.offset + begin + length];
  for (let index = first; index < end; ) {
    if (index % 8 === 0 && end - index >= 8) {
      valid += BIT_COUNTS[nullBitmap[index >> 3] ?? 0] ?? 0;
      index += 8;
    } else {
      valid += ((nullBitmap[index >> 3] ?? 0) >> (index & 7)) & 1;
      index += 1;
    }
  }
  return length - valid;
}

// How many bits of each byte are set.
const BIT_COUNTS = Uint8Array.from({ length: 256 }, (_, byte) => byte.toString(2).replaceAll("0", "").length);

/** Values of a fixed size. */
export function fixedValues(parts: readonly Part[]): Pieces {
  return parts.map(({ data, begin, length }) => {
    const values = data.values as Uint8Array | undefined;
    return values === undefined
      ? new Uint8Array()
      : bytesOf(values.subarray(data.stride * begin, data.stride * (begin + length)));
  });
}

/** Where the values of a part begin and end in its child, or in its bytes. */
export function range({ data, begin, length }: Part): [begin: number, end: number] {
  const { valueOffsets } = data;
  return length === 0 ? [0, 0] : [Number(valueOffsets?.[begin] ?? 0), Number(valueOffsets?.[begin + length] ?? 0)];
}

/** Where each value begins in the values of these rows alone, and where the last one ends. */
export function offsets(parts: readonly Part[]): Pieces {
  const [only] = parts;
  if (only !== undefined && parts.length === 1 && only.length > 0 && range(only)[0] === 0) {
    return [bytesOf(only.data.valueOffsets?.subarray(only.begin, only.begin + only.length + 1) ?? new Uint8Array())];
  }
  const isLarge = parts.some(({ data }) => data.valueOffsets instanceof BigInt64Array);
  const rebased = isLarge ? new BigInt64Array(rowsOf(parts) + 1) : new Int32Array(rowsOf(parts) + 1);
  let row = 0;
  let end = 0;
  for (const part of parts) {
    const [first, last] = range(part);
    for (let index = 0; index < part.length; index += 1) {
      row += 1;
      const offset = Number(part.data.valueOffsets?.[part.begin + index + 1] ?? 0) - first + end;
      if (rebased instanceof BigInt64Array) {
        rebased[row] = BigInt(offset);
      } else {
        rebased[row] = offset;
      }
    }
    end += last - first;
  }
  return [bytesOf(rebased)];
}

/** The bytes of texts. */
export function variableValues(parts: readonly Part[]): Pieces {
  return parts.map((part) => bytesOf(part.data.values ?? new Uint8Array()).subarray(...range(part)));
}

/** Views of these rows, and the bytes of their long values alone. */
export function views(parts: readonly Part[]): { readonly views: Pieces; readonly variadic: Pieces } {
  const written = new Uint8Array(rowsOf(parts) * VIEW_BYTES);
  const out = new DataView(written.buffer);
  const long: Uint8Array[] = [];
  let row = 0;
  let end = 0;
  for (const { data, begin, length } of parts) {
    const bytes = bytesOf(data.values ?? new Uint8Array());
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let index = begin; index < begin + length; index += 1, row += 1) {
      const [from, to] = [index * VIEW_BYTES, row * VIEW_BYTES];
      const size = view.getInt32(from, true);
      written.set(bytes.subarray(from, from + VIEW_BYTES), to);
      if (size > INLINE_BYTES) {
        const start = view.getInt32(from + 12, true);
        long.push(
          bytesOf(data.variadicBuffers?.[view.getInt32(from + 8, true)] ?? new Uint8Array()).subarray(
            start,
            start + size,
          ),
        );
        out.setInt32(to + 8, 0, true);
        out.setInt32(to + 12, end, true);
        end += size;
      }
    }
  }
  return { views: [written], variadic: long.length === 0 ? [] : [Buffer.concat(long)] };
}

/** The rows of the `index`-th child that belong to some rows of lists, structs or maps. */
export function childParts(parts: readonly Part[], index: number): Part[] {
  return parts.flatMap((part) => {
    const child = part.data.children[index];
    if (child === undefined) {
      return [];
    }
    const [begin, end] = childRange(part);
    return [{ data: child, begin, length: end - begin }];
  });
}

function childRange(part: Part): [begin: number, end: number] {
  const { data, begin, length } = part;
  switch (data.type.typeId as Type) {
    case Type.FixedSizeList:
      return [begin * data.stride, (begin + length) * data.stride];
    case Type.Struct:
      return [begin, begin + length];
    default:
      return range(part);
  }
}

/** The bytes of any typed array. */
export function bytesOf(array: ArrayBufferView): Uint8Array {
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}
