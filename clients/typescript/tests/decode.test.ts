// Bytes that arrive: messages cut anywhere, types that are converted, and bytes that are no table.

import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import * as arrow from "apache-arrow";
import { Buffer as BufferRegion } from "apache-arrow/fb/buffer";
import { Field } from "apache-arrow/fb/field";
import { FieldNode } from "apache-arrow/fb/field-node";
import { Int } from "apache-arrow/fb/int";
import { List } from "apache-arrow/fb/list";
import { ListView } from "apache-arrow/fb/list-view";
import { Message } from "apache-arrow/fb/message";
import { MessageHeader } from "apache-arrow/fb/message-header";
import { MetadataVersion } from "apache-arrow/fb/metadata-version";
import { RecordBatch } from "apache-arrow/fb/record-batch";
import { RunEndEncoded } from "apache-arrow/fb/run-end-encoded";
import { Schema } from "apache-arrow/fb/schema";
import { Type } from "apache-arrow/fb/type";
import { Builder } from "flatbuffers";
import { MessageReader, MOST_BYTES, prefix } from "../src/http2/frames.js";
import { PolarwayError, PolarwayTable } from "../src/index.js";
import { StreamDecoder } from "../src/tables/decode.js";
import { reader } from "../src/tables/values.js";
import { piecesOf } from "./tools/tables.js";

/** Numbers that are the same in each run. */
function* random(seed: number): Generator<number> {
  let state = seed;
  while (true) {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    yield state / 2_147_483_648;
  }
}

function draw(numbers: Generator<number>, most: number): number {
  return Math.floor((numbers.next().value as number) * most);
}

/** All bytes of a table, as one Arrow IPC stream. */
async function streamOf(source: unknown): Promise<Uint8Array> {
  return new Uint8Array(Buffer.concat(await piecesOf(source)));
}

test("messages that are cut at any byte arrive whole, and their Arrow data is aligned", () => {
  const numbers = random(7);
  for (let times = 0; times < 200; times += 1) {
    const messages = Array.from({ length: 4 }, () =>
      Uint8Array.from({ length: draw(numbers, 200) }, () => draw(numbers, 256)),
    );
    const bytes = Buffer.concat(messages.flatMap((message) => [prefix(message.length), message]));
    const incoming = new MessageReader();
    const found: Uint8Array[] = [];
    for (let offset = 0; offset < bytes.length; ) {
      const length = 1 + draw(numbers, 60);
      found.push(...incoming.push(bytes.subarray(offset, offset + length)));
      offset += length;
    }
    assert.deepEqual(found, messages);
    assert.equal(incoming.isInside, false);
  }
  // Field 1 of field 1, which may have numbers in front of it.
  for (const before of [[], [0x10, 0x85, 0x01, 0x18, 0x07]]) {
    const inner = Uint8Array.of(...before, 0x0a, 64, ...new Uint8Array(64).fill(7));
    const message = Uint8Array.of(0x0a, inner.length, ...inner);
    const [found] = new MessageReader().push(Buffer.concat([prefix(message.length), message]));
    assert.equal(((found?.byteOffset ?? 0) + message.indexOf(7, 2 + before.length + 2)) % 64, 0);
  }
});

test("messages that are compressed or too long are refused before they arrive", () => {
  assert.throws(() => new MessageReader().push(Uint8Array.of(1, 0, 0, 0, 1, 0)), /compressed/);
  assert.throws(
    () => new MessageReader().push(Buffer.concat([prefix(MOST_BYTES + 1), new Uint8Array(40)])),
    /more than/,
  );
});

test("bytes that are cut, changed or moved are a table or a clear error, and nothing else", async () => {
  const columns = {
    n: [1, null, 3],
    text: ["a", "bb", null],
    list: [[1], null, []],
    struct: [{ x: 1 }, null, { x: 2 }],
    bool: [true, false, null],
  };
  const table = arrow.tableFromArrays({ words: ["x", "y", "x"] });
  for (const source of [columns, table]) {
    const bytes = await streamOf(source);
    const numbers = random(11);
    for (let times = 0; times < 3_000; times += 1) {
      const damaged = bytes.slice(0, times % 3 === 0 ? draw(numbers, bytes.length) : bytes.length);
      for (let flips = draw(numbers, 4); flips > 0; flips -= 1) {
        damaged[draw(numbers, damaged.length)] = draw(numbers, 256);
      }
      try {
        const batches = new StreamDecoder().decode(damaged);
        for (const data of batches.flatMap((batch) => batch.data.children.filter(({ length }) => length < 100))) {
          inspect(data.length);
        }
      } catch (error) {
        assert.ok(error instanceof PolarwayError, inspect(error));
      }
    }
    const whole = new StreamDecoder();
    assert.equal(whole.decode(bytes)[0]?.numRows, 3);
    assert.ok(whole.isComplete);
    assert.throws(() => whole.decode(bytes), /more behind its end/);
  }
});

/** A field of this type. */
function fieldOf(builder: Builder, name: string, type: Type, own: number, childFields: number[]): number {
  const [text, children] = [builder.createString(name), Field.createChildrenVector(builder, childFields)];
  Field.startField(builder);
  Field.addName(builder, text);
  Field.addNullable(builder, true);
  Field.addTypeType(builder, type);
  Field.addType(builder, own);
  Field.addChildren(builder, children);
  return Field.endField(builder);
}

/** A message with these metadata. */
function framed(builder: Builder, type: MessageHeader, header: number, body: Uint8Array): Uint8Array {
  Message.startMessage(builder);
  Message.addVersion(builder, MetadataVersion.V5);
  Message.addHeaderType(builder, type);
  Message.addHeader(builder, header);
  Message.addBodyLength(builder, BigInt(body.length));
  builder.finish(Message.endMessage(builder));
  const metadata = builder.asUint8Array();
  const padding = (8 - (metadata.length % 8)) % 8;
  const head = Buffer.alloc(8);
  head.writeUInt32LE(0xffff_ffff, 0);
  head.writeInt32LE(metadata.length + padding, 4);
  return Buffer.concat([head, metadata, Buffer.alloc(padding), body]);
}

/** The message with the schema of one column, of a type that the library apache-arrow can't write. */
function schemaMessage(type: Type): Uint8Array {
  const builder = new Builder();
  Int.startInt(builder);
  Int.addBitWidth(builder, 32);
  Int.addIsSigned(builder, true);
  const int = Int.endInt(builder);
  const item = fieldOf(builder, "item", Type.Int, int, []);
  const starts = { [Type.ListView]: ListView, [Type.List]: List, [Type.RunEndEncoded]: RunEndEncoded } as Record<
    number,
    unknown
  >;
  const kind = starts[type] as Record<string, (builder: Builder) => number>;
  const name = type === Type.ListView ? "ListView" : type === Type.List ? "List" : "RunEndEncoded";
  kind[`start${name}`]?.(builder);
  const own = kind[`end${name}`]?.(builder) ?? 0;
  const field = fieldOf(builder, "c", type, own, [item]);
  const fields = Schema.createFieldsVector(builder, [field]);
  Schema.startSchema(builder);
  Schema.addFields(builder, fields);
  return framed(builder, MessageHeader.Schema, Schema.endSchema(builder), new Uint8Array());
}

/** Some lists as views: where each begins, and how long it is. */
function listViews(starts: number[], lengths: number[], items: number[], validity: number): Uint8Array {
  const buffers = [
    Uint8Array.of(validity),
    Int32Array.from(starts),
    Int32Array.from(lengths),
    new Uint8Array(),
    Int32Array.from(items),
  ];
  const builder = new Builder();
  RecordBatch.startNodesVector(builder, 2);
  FieldNode.createFieldNode(builder, BigInt(items.length), 0n);
  FieldNode.createFieldNode(builder, BigInt(starts.length), 1n);
  const nodes = builder.endVector();
  const body = Buffer.concat(
    buffers.map((buffer) => Buffer.concat([Buffer.from(buffer.buffer), Buffer.alloc(64)]).subarray(0, 64)),
  );
  RecordBatch.startBuffersVector(builder, buffers.length);
  for (const [index, buffer] of [...buffers.entries()].toReversed()) {
    BufferRegion.createBuffer(builder, BigInt(index * 64), BigInt(buffer.byteLength));
  }
  const regions = builder.endVector();
  RecordBatch.startRecordBatch(builder);
  RecordBatch.addLength(builder, BigInt(starts.length));
  RecordBatch.addNodes(builder, nodes);
  RecordBatch.addBuffers(builder, regions);
  return framed(builder, MessageHeader.RecordBatch, RecordBatch.endRecordBatch(builder), body);
}

test("what the library has no type for is named, with what helps", () => {
  assert.throws(() => new StreamDecoder().decode(schemaMessage(Type.RunEndEncoded)), {
    code: "INVALID_ARGUMENT",
    message: /column "c" has Arrow's type RunEndEncoded, .* SELECT CAST\("c" AS VARCHAR\)/,
  });
  const decoder = new StreamDecoder();
  decoder.decode(schemaMessage(Type.ListView));
  assert.equal(String(decoder.schema?.fields[0]?.type), "List<Int32>");
  // The second list is null, and may have any place.
  const [batch] = decoder.decode(listViews([1, 9, 3], [2, 9, 1], [6, 7, 8, 9], 0b101));
  const read = reader(batch?.data.children[0] as arrow.Data);
  assert.deepEqual([read(0), read(1), read(2)], [[7, 8], null, [9]]);
  const beginsWithNull = new StreamDecoder();
  beginsWithNull.decode(schemaMessage(Type.ListView));
  const [second] = beginsWithNull.decode(listViews([9, 1, 2], [9, 1, 2], [6, 7, 8, 9], 0b110));
  const readSecond = reader(second?.data.children[0] as arrow.Data);
  assert.deepEqual([readSecond(0), readSecond(1), readSecond(2)], [null, [7], [8, 9]]);
  assert.throws(() => decoder.decode(listViews([2, 9, 0], [1, 9, 2], [6, 7, 8], 0b101)), {
    code: "INVALID_ARGUMENT",
    message: /column "c" has Arrow's type list_view, whose lists overlap/,
  });
});

test("a table prints its columns, types and first rows, and no more than fits", async () => {
  const many = Object.fromEntries(
    Array.from({ length: 20 }, (_, column) => [`c${column}`, Array.from({ length: 30 }, () => "x".repeat(100))]),
  );
  const decoder = new StreamDecoder();
  const batches = decoder.decode(await streamOf(many));
  const text = inspect(new PolarwayTable(decoder.schema as arrow.Schema, batches));
  assert.match(text, /^30 rows × 20 columns \(shown: the first 10 rows, 12 columns\)\n┌/);
  assert.ok(text.split("\n").length === 16 && text.includes("…"));
});

test("intervals and unions, which queries may give, are read", () => {
  const months = arrow.makeData({
    type: new arrow.IntervalMonthDayNano(),
    length: 1,
    nullCount: 0,
    data: Int32Array.of(1, -2, -3, -1),
  });
  assert.deepEqual(reader(months)(0), { months: 1, days: -2, nanoseconds: -3n });
  const fields = [new arrow.Field("0", new arrow.Int32(), true), new arrow.Field("1", new arrow.Bool(), true)];
  const children = [
    arrow.makeData({ type: new arrow.Int32(), length: 1, nullCount: 0, data: Int32Array.of(7) }),
    arrow.makeData({ type: new arrow.Bool(), length: 1, nullCount: 0, data: Uint8Array.of(1) }),
  ];
  const union = arrow.makeData({
    type: new arrow.DenseUnion([0, 1], fields),
    length: 2,
    nullCount: 0,
    typeIds: Int8Array.of(1, 0),
    valueOffsets: Int32Array.of(0, 0),
    children,
  } as never) as arrow.Data;
  assert.deepEqual([reader(union)(0), reader(union)(1)], [true, 7]);
});
