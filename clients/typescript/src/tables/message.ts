// Messages of Arrow's IPC format: rows and dictionaries.

import type { DataType, Schema } from "apache-arrow";
import { Message as ArrowMessage, Type } from "apache-arrow";
import { Buffer as BufferRegion } from "apache-arrow/fb/buffer";
import { DictionaryBatch } from "apache-arrow/fb/dictionary-batch";
import { FieldNode } from "apache-arrow/fb/field-node";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { Builder } from "flatbuffers";
import type { Part, Pieces } from "./parts.js";
import { bits, childParts, fixedValues, nullsOf, offsets, rowsOf, variableValues, views } from "./parts.js";
import { MARK, PREFIX_BYTES } from "./wire.js";

/** A column of some rows, and its type. */
export interface ColumnParts {
  readonly type: DataType;
  readonly parts: readonly Part[];
}

/** The end of a stream. */
export const END: Uint8Array = prefix(0);

/** The message with the columns of a table. */
export function schemaMessage(schema: Schema): Uint8Array[] {
  return framed(ArrowMessage.encode(ArrowMessage.from(schema)), []);
}

/** A message with rows. */
export function batchMessage(rows: number, columns: readonly ColumnParts[]): Uint8Array[] {
  const content = new Content(columns);
  const builder = new Builder(1024);
  const header = content.build(builder, rows);
  return framed(finished(builder, MessageHeader.RecordBatch, header, content.bodyLength), content.body);
}

/** A message with the values of a dictionary. */
export function dictionaryMessage(id: number, values: ColumnParts): Uint8Array[] {
  const content = new Content([values]);
  const builder = new Builder(1024);
  const batch = content.build(builder, rowsOf(values.parts));
  DictionaryBatch.startDictionaryBatch(builder);
  DictionaryBatch.addId(builder, BigInt(id));
  DictionaryBatch.addData(builder, batch);
  const header = DictionaryBatch.endDictionaryBatch(builder);
  return framed(finished(builder, MessageHeader.DictionaryBatch, header, content.bodyLength), content.body);
}

/** The bytes of a message in pieces: its mark, its metadata, its body. */
function framed(metadata: Uint8Array, body: Pieces): Uint8Array[] {
  // All messages begin at multiples of eight.
  const padded = Math.ceil(metadata.length / 8) * 8;
  const head = new Uint8Array(PREFIX_BYTES + padded);
  head.set(prefix(padded));
  head.set(metadata, PREFIX_BYTES);
  return [head, ...body];
}

/** What is before metadata of this length. */
function prefix(length: number): Uint8Array {
  const bytes = new Uint8Array(PREFIX_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, MARK, true);
  view.setUint32(4, length, true);
  return bytes;
}

function finished(builder: Builder, type: MessageHeader, header: number, bodyLength: number): Uint8Array {
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, type);
  Message.addHeader(builder, header);
  Message.addBodyLength(builder, BigInt(bodyLength));
  builder.finish(Message.endMessage(builder));
  return builder.asUint8Array();
}

/** The buffers of some columns, and what the metadata says about them. */
class Content {
  readonly body: Uint8Array[] = [];
  bodyLength = 0;
  readonly #nodes: { readonly length: number; readonly nulls: number }[] = [];
  readonly #buffers: { readonly offset: number; readonly length: number }[] = [];
  readonly #variadicCounts: number[] = [];

  constructor(columns: readonly ColumnParts[]) {
    for (const { type, parts } of columns) {
      this.#add(type, parts);
    }
  }

  build(builder: Builder, rows: number): number {
    RecordBatch.startNodesVector(builder, this.#nodes.length);
    for (const { length, nulls } of this.#nodes.toReversed()) {
      FieldNode.createFieldNode(builder, BigInt(length), BigInt(nulls));
    }
    const nodes = builder.endVector();
    RecordBatch.startBuffersVector(builder, this.#buffers.length);
    for (const { offset, length } of this.#buffers.toReversed()) {
      BufferRegion.createBuffer(builder, BigInt(offset), BigInt(length));
    }
    const buffers = builder.endVector();
    const counts = this.#variadicCounts.map(BigInt);
    const variadic = counts.length === 0 ? undefined : RecordBatch.createVariadicBufferCountsVector(builder, counts);
    RecordBatch.startRecordBatch(builder);
    RecordBatch.addLength(builder, BigInt(rows));
    RecordBatch.addNodes(builder, nodes);
    RecordBatch.addBuffers(builder, buffers);
    if (variadic !== undefined) {
      RecordBatch.addVariadicBufferCounts(builder, variadic);
    }
    return RecordBatch.endRecordBatch(builder);
  }

  #add(type: DataType, parts: readonly Part[]): void {
    const nulls = nullsOf(parts);
    this.#nodes.push({ length: rowsOf(parts), nulls });
    const typeId = type.typeId as Type;
    if (typeId === Type.Null) {
      return;
    }
    this.#addBuffer(nulls === 0 ? [] : bits(parts, ({ nullBitmap }) => nullBitmap));
    switch (typeId) {
      case Type.Bool:
        this.#addBuffer(bits(parts, ({ values }) => values as Uint8Array | undefined));
        break;
      case Type.Utf8:
      case Type.Binary:
      case Type.LargeUtf8:
      case Type.LargeBinary:
        this.#addBuffer(offsets(parts));
        this.#addBuffer(variableValues(parts));
        break;
      case Type.Utf8View:
      case Type.BinaryView: {
        const { views: written, variadic } = views(parts);
        this.#addBuffer(written);
        for (const buffer of variadic) {
          this.#addBuffer([buffer]);
        }
        this.#variadicCounts.push(variadic.length);
        break;
      }
      case Type.List:
      case Type.LargeList:
      case Type.Map:
        this.#addBuffer(offsets(parts));
        this.#addChildren(type, parts);
        break;
      case Type.FixedSizeList:
      case Type.Struct:
        this.#addChildren(type, parts);
        break;
      default:
        this.#addBuffer(fixedValues(parts));
    }
  }

  #addChildren(type: DataType, parts: readonly Part[]): void {
    for (const [index, field] of (type.children ?? []).entries()) {
      this.#add(field.type, childParts(parts, index));
    }
  }

  #addBuffer(pieces: Pieces): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#buffers.push({ offset: this.bodyLength, length });
    this.body.push(...pieces.filter((piece) => piece.length > 0));
    const padding = (8 - (length % 8)) % 8;
    if (padding > 0) {
      this.body.push(new Uint8Array(padding));
    }
    this.bodyLength += length + padding;
  }
}
