// The buffers of a batch, taken one after the other in the order of its columns.

import type { Vector } from "apache-arrow";
import { Buffer as BufferRegion } from "apache-arrow/fb/buffer";
import { FieldNode } from "apache-arrow/fb/field-node";
import type { RecordBatch as BatchMetadata } from "apache-arrow/fb/record-batch";
import { notArrow } from "./wire.js";

// The most values that a column of Arrow may have here.
const MOST_LENGTH = 2 ** 31 - 1;

/** How many values a column has, and how many of them are null. */
export interface Node {
  readonly length: number;
  readonly nullCount: number;
}

/** A kind of typed array. */
export interface ArrayKind<A> {
  readonly BYTES_PER_ELEMENT: number;
  new (buffer: ArrayBufferLike, byteOffset: number, length: number): A;
  new (length: number): A;
}

/** The content of one batch. */
export class Body {
  readonly length: number;
  /** By their ids. */
  readonly dictionaries: ReadonlyMap<bigint, Vector>;
  readonly #metadata: BatchMetadata;
  readonly #bytes: Uint8Array;
  readonly #node = new FieldNode();
  readonly #region = new BufferRegion();
  #nextNode = 0;
  #nextBuffer = 0;
  #nextVariadic = 0;

  constructor(metadata: BatchMetadata, bytes: Uint8Array, dictionaries: ReadonlyMap<bigint, Vector>) {
    if (metadata.compression() !== null) {
      throw notArrow("it is compressed, which it was not asked for");
    }
    this.#metadata = metadata;
    this.#bytes = bytes;
    this.dictionaries = dictionaries;
    this.length = Number(metadata.length());
  }

  /** The next column. */
  node(): Node {
    const index = this.#nextNode++;
    const node = index < this.#metadata.nodesLength() ? this.#metadata.nodes(index, this.#node) : null;
    if (node === null) {
      throw notArrow("a batch has too few columns");
    }
    const [length, nullCount] = [Number(node.length()), Number(node.nullCount())];
    if (!(length >= 0 && length <= MOST_LENGTH && nullCount >= 0 && nullCount <= length)) {
      throw notArrow(`a column has ${length} values, of which ${nullCount} are null`);
    }
    return { length, nullCount };
  }

  /** The bytes of the next buffer. */
  bytes(): Uint8Array {
    const index = this.#nextBuffer++;
    const region = index < this.#metadata.buffersLength() ? this.#metadata.buffers(index, this.#region) : null;
    if (region === null) {
      throw notArrow("a batch has too few buffers");
    }
    const offset = Number(region.offset());
    const length = Number(region.length());
    if (offset < 0 || length < 0 || offset + length > this.#bytes.length) {
      throw notArrow("a buffer is longer than its batch");
    }
    return this.#bytes.subarray(offset, offset + length);
  }

  /** The bits that say which values are there, if some are not. */
  validity({ length, nullCount }: Node): Uint8Array {
    const bytes = this.bytes();
    if (nullCount === 0) {
      return new Uint8Array();
    }
    return sized(bytes, Math.ceil(length / 8));
  }

  /** The next buffer, as so many numbers. It is not copied if it lies well in memory, which the server sees to. */
  array<A>(kind: ArrayKind<A>, length: number): A {
    const width = kind.BYTES_PER_ELEMENT;
    const bytes = sized(this.bytes(), length * width);
    const aligned = bytes.byteOffset % width === 0 ? bytes : bytes.slice();
    return new kind(aligned.buffer, aligned.byteOffset, length);
  }

  /** Where each of so many values begins, and where the last one ends. Of no values there may be no buffer. */
  offsets<A>(kind: ArrayKind<A>, length: number): A {
    if (length === 0) {
      this.bytes();
      return new kind(1);
    }
    return this.array(kind, length + 1);
  }

  /** The buffers that the next column of views has, besides the views. */
  variadic(): Uint8Array[] {
    const index = this.#nextVariadic++;
    const isThere = index < this.#metadata.variadicBufferCountsLength();
    const count = Number((isThere ? this.#metadata.variadicBufferCounts(index) : null) ?? 0n);
    if (!(count >= 0 && count <= this.#metadata.buffersLength())) {
      throw notArrow("a batch has too few buffers");
    }
    return Array.from({ length: count }, () => this.bytes());
  }
}

function sized(bytes: Uint8Array, length: number): Uint8Array {
  if (bytes.length < length) {
    throw notArrow("a buffer is shorter than its values");
  }
  return bytes.subarray(0, length);
}
