// Tables that users hand in, by the rules by which their types are inferred, and what is refused.

import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import * as arrow from "apache-arrow";
import type { TableSource } from "../src/index.js";
import { BatchError, freshRequest, PolarwayError, PreciseDate } from "../src/index.js";
import { proxyBefore } from "./tools/breakingProxy.js";
import { clientOf, withServer } from "./tools/server.js";
import { built, difference, piecesOf } from "./tools/tables.js";

await withServer(async ({ address, folder }) => {
  await test("types are inferred by the stated rules, and values come back with all their digits", async (t) => {
    const client = clientOf(t, address);
    const time = new Date("2024-02-29T12:00:00.123Z");
    const precise = new PreciseDate(1_709_208_000_000_000_001n);
    const columns = {
      integers: [1, -2, null, Number.MAX_SAFE_INTEGER],
      numbers: [0.5, Number.NaN, Number.POSITIVE_INFINITY, null],
      unsafe: [2 ** 60, 1, null, undefined],
      negativeZero: [-0, 1, 2, 3],
      bigints: [-(2n ** 63n), 2n ** 63n - 1n, null, 0n],
      large: [2n ** 64n - 1n, null, 0n, 1n],
      texts: ["", "größe 🐻", null, "it's"],
      booleans: [true, false, null, true],
      times: [time, null, new Date(0), new Date(-1)],
      precise: [precise, time, null, null],
      bytes: [Uint8Array.of(0, 255), null, new Uint8Array(), Buffer.from("a")],
      lists: [[1, null], [], null, [2]],
      deep: [[["a"], null], [], null, [[]]],
      structs: [{ a: 1, b: "x" }, { b: null }, null, { c: [true] }],
      maps: [new Map([["k", 1]]), null, new Map(), new Map([["l", null]])],
      nothing: [null, undefined, null, null],
    };
    await client.store("inferred", columns);
    const table = await client.load("inferred");
    assert.deepEqual(
      table.schema.fields.map(({ name, type }) => `${name}: ${String(type)}`),
      [
        "integers: Int64",
        "numbers: Float64",
        "unsafe: Float64",
        "negativeZero: Float64",
        "bigints: Int64",
        "large: Uint64",
        "texts: Utf8",
        "booleans: Bool",
        "times: Timestamp<MILLISECOND>",
        "precise: Timestamp<NANOSECOND>",
        "bytes: Binary",
        "lists: List<Int64>",
        "deep: List<List<Utf8>>",
        "structs: Struct<{a:Int64, b:Utf8, c:List<Bool>}>",
        "maps: Map<{key:Utf8, value:Int64}>",
        "nothing: Null",
      ],
    );
    const found = table.toColumns<Record<string, unknown[]>>();
    assert.deepEqual(found["integers"], [1n, -2n, null, BigInt(Number.MAX_SAFE_INTEGER)]);
    assert.deepEqual(found["negativeZero"], [-0, 1, 2, 3]);
    for (const name of ["numbers", "bigints", "large", "texts", "booleans", "times"] as const) {
      assert.deepEqual(found[name], columns[name], name);
    }
    assert.deepEqual(
      found["precise"]?.map((value) => (value as PreciseDate | null)?.epochNs ?? null),
      [precise.epochNs, BigInt(time.getTime()) * 1_000_000n, null, null],
    );
    assert.equal(((found["precise"] ?? [])[0] as PreciseDate).toISOString(), "2024-02-29T12:00:00.000000001Z");
    assert.deepEqual(
      found["bytes"]?.map((value) => (value === null ? null : [...(value as Uint8Array)])),
      [[0, 255], null, [], [97]],
    );
    assert.deepEqual(found["lists"], [[1n, null], [], null, [2n]]);
    assert.deepEqual(found["deep"], columns.deep);
    assert.deepEqual(found["structs"], [
      { a: 1n, b: "x", c: null },
      { a: null, b: null, c: null },
      null,
      { a: null, b: null, c: [true] },
    ]);
    assert.deepEqual(found["maps"], [new Map([["k", 1n]]), null, new Map(), new Map([["l", null]])]);
    assert.deepEqual(found["nothing"], [null, null, null, null]);
    // What was loaded is stored again as it was.
    await client.store("again", found);
    assert.deepEqual((await client.load("again")).toColumns(), found);
  });

  await test("ragged, mixed and overflowing columns are refused by name, and nothing is sent", async (t) => {
    const client = clientOf(t, "127.0.0.1:1");
    class Own {}
    const refused: [unknown, RegExp][] = [
      [{ a: [1, 2], b: ["x"] }, /^"t": column "b" has 1 values, and column "a" has 2$/],
      [{ a: [1, "x"] }, /column "a", row 1: it has a string after values that are a number/],
      [
        { a: [1, 2n] },
        /column "a", row 1: it has a bigint after values that are a number: make them all bigint, or all numbers/,
      ],
      [{ a: [2n ** 64n] }, /column "a", row 0: it has 18446744073709551616, which does not fit into 64 bits/],
      [{ a: [-1n, 2n ** 63n] }, /column "a" has both -1 and 9223372036854775808/],
      [{ a: [new Date("never")] }, /column "a", row 0: it has a Date that is invalid/],
      [{ a: ["half \ud800"] }, /column "a", row 0: .*half of a character/],
      [{ a: [Symbol("s")] }, /column "a", row 0: it has a symbol, for which there is no type/],
      [{ a: [new Own()] }, /an object of class Own/],
      [{ a: [[1], ["x"]] }, /column "a\[\]", row 1: it has a string/],
      [{ a: [{ b: 1 }, { b: true }] }, /column "a.b", row 1: it has a boolean/],
      [{ a: [{}] }, /column "a", row 0: it has an object without keys/],
      [{ a: [new Map([[null, 1]])] }, /null as a key/],
      [{ a: 7 }, /column "a" is no array/],
      [{ a: new DataView(new ArrayBuffer(8)) }, /column "a" is a DataView/],
      [{}, /the table has no columns/],
      [[{ a: 1 }], /an array is no table/],
      [7, /7 is no table/],
      [null, /null is no table/],
      [new Own(), /an object of class Own is no table/],
      [() => [{ a: 1 }], /is no batch/],
      [() => [Object.create(null)], /an object of class \? is no batch/],
      [() => 7, /7 gives no batches/],
      [() => [], /there are no batches/],
    ];
    for (const [source, message] of refused) {
      await assert.rejects(client.store("t", source as TableSource), {
        code: "INVALID_ARGUMENT",
        message,
        requestId: undefined,
      });
    }
    await assert.rejects(client.store("bad/name", { a: [1] }), { code: "UNAVAILABLE" });
  });

  await test("typed arrays are sent where they lie, without a copy", async (t) => {
    const client = clientOf(t, address);
    const columns = {
      i8: Int8Array.of(-128, 127),
      i16: Int16Array.of(-1, 1),
      i32: Int32Array.of(-1, 1),
      i64: BigInt64Array.of(-1n, 1n),
      u8: Uint8Array.of(0, 255),
      u16: Uint16Array.of(0, 65_535),
      u32: Uint32Array.of(0, 4_294_967_295),
      u64: BigUint64Array.of(0n, 2n ** 64n - 1n),
      f32: Float32Array.of(0.5, Number.NaN),
      f64: new Float64Array(new Float64Array([9, 0.1, -0]).buffer, 8),
    };
    await client.store("typed", columns);
    const found = (await client.load("typed")).toColumns();
    for (const [name, values] of Object.entries(columns)) {
      assert.deepEqual(found[name], Array.from(values as ArrayLike<number | bigint>), name);
    }
    const memory = Object.values(columns).map(({ buffer }) => buffer);
    const pieces = await piecesOf(columns);
    assert.ok(memory.every((own) => pieces.some(({ buffer }) => buffer === own)));
  });

  await test("tables of every copy of the library are taken, whole, sliced, and in columns", async (t) => {
    const client = clientOf(t, address);
    const other = createRequire(import.meta.url)("apache-arrow") as typeof arrow;
    assert.notEqual(other.Table, arrow.Table);
    for (const library of [arrow, other]) {
      const table = library.tableFromArrays({ text: ["a", "b", "a"], n: Int32Array.of(1, 2, 3) });
      await client.store("foreign", table);
      assert.deepEqual((await client.load("foreign")).toRows(), [
        { text: "a", n: 1 },
        { text: "b", n: 2 },
        { text: "a", n: 3 },
      ]);
      await client.store("foreign", table.slice(1, 3));
      assert.deepEqual((await client.load("foreign")).toColumns(), { text: ["b", "a"], n: [2, 3] });
      await client.store("foreign", table.batches[0] as arrow.RecordBatch);
      assert.equal((await client.load("foreign")).numRows, 3);
      const vector = library.vectorFromArray([0.5, null, 2], new library.Float32());
      await client.store("foreign", { vector, plain: ["x", "y", "z"] });
      const loaded = await client.load("foreign");
      assert.deepEqual(
        [loaded.schema.fields.map(({ type }) => String(type)), loaded.toColumns()["vector"]],
        [
          ["Float32", "Utf8"],
          [0.5, null, 2],
        ],
      );
    }
  });

  await test("slices of every type at odd borders keep their rows", async (t) => {
    const client = clientOf(t, address);
    const values = <T>(value: (row: number) => T) =>
      Array.from({ length: 41 }, (_, row) => (row % 5 === 3 ? null : value(row)));
    const table = built({
      columns: [
        { name: "bool", type: "bool", values: values((row) => row % 3 === 0) },
        { name: "i64", type: "int64", values: values((row) => row) },
        { name: "text", type: "utf8", values: values((row) => `text ${row}`) },
        { name: "large", type: "large_utf8", values: values((row) => "x".repeat(row)) },
        { name: "view", type: "utf8_view", values: values((row) => `a long text of row ${row}`) },
        { name: "bytes", type: "fixed_size_binary(2)", values: values(() => "00ff") },
        { name: "decimal", type: "decimal128(9, 2)", values: values((row) => `${row}.25`) },
        {
          name: "list",
          type: { list: "int32" },
          values: values((row) => Array.from({ length: row % 4 }, (_, item) => item)),
        },
        {
          name: "fixed",
          type: { fixed_size_list: { items: "bool", size: 3 } },
          values: values((row) => [row % 2 === 0, null, true]),
        },
        {
          name: "struct",
          type: {
            struct: [
              { name: "x", type: "bool" },
              { name: "y", type: { list: "utf8" } },
            ],
          },
          values: values((row) => ({ x: row % 2 === 1, y: [`${row}`] })),
        },
        { name: "map", type: { map: { keys: "utf8", values: "int32" } }, values: values((row) => [[`k${row}`, row]]) },
        {
          name: "words",
          type: { dictionary: { keys: "int8", values: "utf8" } },
          values: values((row) => ["a", "b"][row % 2]),
        },
      ],
    });
    for (const [begin, end] of [
      [0, 41],
      [1, 40],
      [3, 4],
      [7, 33],
      [8, 24],
      [13, 13],
    ] as const) {
      const slice = table.slice(begin, end);
      await client.store("sliced", slice);
      assert.equal(
        difference(slice, await client.load("sliced"), false, (type) => type),
        undefined,
        `${begin} to ${end}`,
      );
    }
    // Batches that are too small are put together.
    const batches = [table.slice(0, 3), table.slice(3, 20), table.slice(20, 20), table.slice(20, 41)].flatMap(
      (part) => part.batches,
    );
    await client.store("sliced", batches);
    assert.equal(
      difference(table, await client.load("sliced"), false, (type) => type),
      undefined,
    );
    const pieces = await client.loadStream("sliced").readAll();
    assert.equal(pieces.batches.length, 1);
  });

  await test("batches of a reader are stored while they are read, and again if they can be opened again", async (t) => {
    const client = clientOf(t, address);
    const batch = () =>
      arrow.tableFromArrays({ n: Float64Array.from({ length: 50_000 }, (_, row) => row) })
        .batches[0] as arrow.RecordBatch;
    async function* batches() {
      for (let index = 0; index < 20; index += 1) {
        yield batch();
      }
    }
    await client.store("streamed", batches());
    assert.equal((await client.describe("streamed")).rows, 1_000_000);
    const once = await proxyBefore(t, address, 5_000_000);
    await assert.rejects(clientOf(t, once.address).store("streamed", batches()), {
      code: "UNAVAILABLE",
      message: /can be read only once/,
    });
    const again = await proxyBefore(t, address, 5_000_000);
    let opened = 0;
    const open = () => {
      opened += 1;
      return batches();
    };
    assert.equal((await clientOf(t, again.address).store("streamed", open)).rows, 1_000_000);
    assert.ok(opened >= 2 && again.failures === 1);
    async function* fails() {
      yield batch();
      throw new Error("the source is broken");
    }
    await assert.rejects(client.store("streamed", fails()), { message: "the source is broken" });
    async function* changes() {
      yield batch();
      yield arrow.tableFromArrays({ m: Float64Array.of(1) }).batches[0] as arrow.RecordBatch;
    }
    await assert.rejects(client.store("streamed", changes()), {
      code: "INVALID_ARGUMENT",
      message: /a batch has the columns m/,
    });
    assert.equal((await client.versions("streamed")).length, 2);
  });

  await test("a table that the server refuses is answered before all of it is sent", async (t) => {
    const client = clientOf(t, address);
    await client.store("taken", { n: [1] });
    const large = { n: new Float64Array(8_000_000) };
    const counting = await proxyBefore(t, address);
    await assert.rejects(clientOf(t, counting.address).store("taken", large, { mode: "create" }), {
      reason: "ALREADY_EXISTS",
      code: "ALREADY_EXISTS",
    });
    assert.ok(counting.count < 60_000_000, `${counting.count} bytes of 64,000,000`);
    await assert.rejects(client.store("taken", large, { expectedVersion: 7 }), { reason: "VERSION_CONFLICT" });
    await assert.rejects(client.append("missing", large), { reason: "UNKNOWN_DATASET" });
    await assert.rejects(client.append("taken", { n: ["text"] }), { reason: "SCHEMA_MISMATCH" });
    await assert.rejects(client.store("bad/name", large), { reason: "INVALID_NAME" });
    assert.deepEqual((await client.load("taken")).toColumns(), { n: [1n] });
  });

  await test("a write that the program makes again under its id is carried out once", async (t) => {
    const client = clientOf(t, address);
    const request = freshRequest();
    const first = await client.store("once", { n: [1] }, { request });
    const again = await client.store("once", { n: [1] }, { request });
    assert.deepEqual([first.wasRetry, again.wasRetry, again.version], [false, true, first.version]);
    const appending = freshRequest();
    await client.append("once", { n: [2] }, { request: appending });
    assert.equal((await client.append("once", { n: [2] }, { request: appending })).rows, 2);
    const deleting = freshRequest();
    await client.delete("once", { request: deleting });
    assert.ok((await client.delete("once", { request: deleting })).wasRetry);
    assert.equal((await client.versions("once")).length, 3);
    for (const wrong of ["7", crypto.randomUUID(), 7 as never]) {
      await assert.rejects(client.store("once", { n: [1] }, { request: wrong }), {
        code: "INVALID_ARGUMENT",
        message: /is no UUID of version 7/,
      });
    }
  });

  await test("of a batch, each table is stored on its own, and the error has what became of each", async (t) => {
    const client = clientOf(t, address);
    const published = await client.storeBatch({ one: { n: [1] }, two: { n: [1, 2] } });
    assert.deepEqual([published["one"]?.rows, published["two"]?.rows], [1, 2]);
    assert.deepEqual(await client.storeBatch({}), {});
    const error = await client
      .storeBatch({ three: { n: [1] }, "bad/name": { n: [1] } })
      .catch((caught: unknown) => caught);
    assert.ok(error instanceof BatchError && error instanceof PolarwayError);
    assert.deepEqual(
      [Object.keys(error.published), Object.keys(error.errors), error.reason, error.retryable],
      [["three"], ["bad/name"], "INVALID_NAME", false],
    );
    assert.match(error.message, /^1 of 2 tables were not stored: "bad\/name": /);
    assert.equal((await client.load("three")).numRows, 1);
    // A file lies where the dataset would be: the storage may be mended before the next call.
    writeFileSync(join(folder, "cold", "blocked"), "");
    const impatient = clientOf(t, address, { timeout: 500 });
    await assert.rejects(impatient.storeBatch({ three: { n: [1] }, blocked: { n: [1] } }), (failed) => {
      assert.ok(failed instanceof BatchError);
      assert.deepEqual([failed.reason, failed.retryable], ["STORAGE_FAILED", true]);
      return true;
    });
    rmSync(join(folder, "cold", "blocked"));
  });

  await test("columns of one name, of no rows, and of a thousand columns come as rows and columns", async (t) => {
    const client = clientOf(t, address);
    const twice = await client.query("SELECT 1 AS a, 'x' AS A, 2 AS a");
    assert.deepEqual([twice.columnNames, twice.toRows()], [["a", "A", "a"], [{ a: 1, A_1: "x", a_2: 2 }]]);
    const empty = await client.query("SELECT 1 AS a WHERE false");
    assert.deepEqual([empty.numRows, empty.toColumns(), empty.toRows()], [0, { a: [] }, []]);
    await client.store("no_rows", { a: [] as number[], b: new Float64Array() });
    assert.deepEqual((await client.load("no_rows")).schema.fields.map(String), ["a: Null", "b: Float64"]);
  });
});
