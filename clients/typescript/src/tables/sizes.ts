// What rows take: in a message, and with every value of a dictionary written out.

import { Type } from "apache-arrow";
import type { OutgoingData } from "./outgoing.js";
import type { Part } from "./parts.js";
import { childParts, INLINE_BYTES, range, VIEW_BYTES } from "./parts.js";

/** What the rows take in a message, without dictionaries, which are sent once for many messages. */
export function sentBytes(part: Part): number {
  const { data, length } = part;
  const validity = data.nullCount === 0 ? 0 : length / 8;
  switch (data.type.typeId as Type) {
    case Type.Null:
      return 0;
    case Type.Bool:
      return validity + length / 8;
    case Type.Utf8:
    case Type.Binary:
      return validity + 4 * length + valueBytes(part);
    case Type.LargeUtf8:
    case Type.LargeBinary:
      return validity + 8 * length + valueBytes(part);
    case Type.Utf8View:
    case Type.BinaryView:
      return validity + VIEW_BYTES * length + longBytes(part);
    case Type.List:
    case Type.Map:
      return validity + 4 * length + childBytes(part, sentBytes);
    case Type.LargeList:
      return validity + 8 * length + childBytes(part, sentBytes);
    case Type.Struct:
    case Type.FixedSizeList:
      return validity + childBytes(part, sentBytes);
    default:
      return validity + length * data.stride * ((data.values as Uint8Array | undefined)?.BYTES_PER_ELEMENT ?? 1);
  }
}

/** At most so many bytes the rows take if each has its own copy of its value. Only dictionaries make more of them. */
export function plainBytes(part: Part): number {
  const { data, length } = part;
  if (data.dictionary !== undefined && data.dictionary !== null) {
    return length * (8 + longestValue(data.dictionary.data));
  }
  return data.children.length === 0 ? sentBytes(part) : 8 * length + childBytes(part, plainBytes);
}

// Dictionaries do not change, and all batches may have the same one.
const longest = new WeakMap<object, number>();

function longestValue(dictionary: readonly OutgoingData[]): number {
  return dictionary.reduce((most, data) => Math.max(most, longestOf(data)), 0);
}

function longestOf(data: OutgoingData): number {
  let most = longest.get(data);
  if (most === undefined) {
    most = 0;
    for (let begin = 0; begin < data.length; begin += 1) {
      most = Math.max(most, plainBytes({ data, begin, length: 1 }));
    }
    longest.set(data, most);
  }
  return most;
}

function valueBytes(part: Part): number {
  const [begin, end] = range(part);
  return end - begin;
}

function longBytes({ data, begin, length }: Part): number {
  const { values } = data;
  if (values === undefined || (data.variadicBuffers ?? []).length === 0) {
    return 0;
  }
  const view = new DataView(values.buffer, values.byteOffset, values.byteLength);
  let bytes = 0;
  for (let index = begin; index < begin + length; index += 1) {
    const size = view.getInt32(index * VIEW_BYTES, true);
    bytes += size > INLINE_BYTES ? size : 0;
  }
  return bytes;
}

function childBytes(part: Part, size: (part: Part) => number): number {
  let bytes = 0;
  for (let index = 0; index < part.data.children.length; index += 1) {
    for (const child of childParts([part], index)) {
      bytes += size(child);
    }
  }
  return bytes;
}
