// Every type of Arrow, stored and loaded: `types.json` says what comes of it, for the page about types.

import assert from "node:assert/strict";
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { test } from "node:test";
import * as arrow from "apache-arrow";
import { PolarwayError, PolarwayTable } from "../src/index.js";
import { batchOf, schemaWith } from "../src/tables/decode.js";
import { project, root } from "./tools/folders.js";
import { clientOf, withServer } from "./tools/server.js";
import type { ColumnSpec, TableSpec, TypeSpec } from "./tools/tables.js";
import { dataOf, textsOf, typeOf } from "./tools/tables.js";

// Those that no scenario has, by the names that it would give them.
const OTHERS: Readonly<Record<string, readonly unknown[]>> = {
  null: [null, null],
  float16: [1.5, null],
  "decimal32(9, 2)": ["-1234567.89", null],
  "decimal64(18, 2)": ["-1234567.89", null],
  "decimal128(9, -2)": ["100", null],
  binary_view: ["00ff", null],
  "fixed_size_binary(0)": ["", null],
  date64: ["2024-02-29", null],
  "time32[ms]": ["23:59:59.999", null],
  "time64[ns]": ["23:59:59.999999999", null],
  "timestamp[ms]": ["2024-02-29T12:00:00.001", null],
  "timestamp[ns, Europe/Berlin]": ["2024-02-29T12:00:00.000000001", null],
  "timestamp[us, +05:30]": ["2024-02-29T12:00:00.000001", null],
  "duration[s]": [1, null],
  "duration[us]": [1, null],
  "duration[ns]": [1, null],
  '{"large_list":"int32"}': [[1, null], [], null],
  '{"struct":[]}': [{}, null],
  '{"dictionary":{"keys":"int64","values":"int32"}}': [7, null],
  '{"dictionary":{"keys":"uint8","values":"large_utf8"}}': ["a", null],
  '{"dictionary":{"keys":"int8","values":"bool"}}': [true, null],
};

const NO_TYPE = "refused: the library apache-arrow has no such type";

// Those of which no column can be made here.
const NOT_THERE: Readonly<Record<string, string>> = {
  '{"list_view":"int32"}': `${NO_TYPE}; stored by another client, it is loaded as {"list":"int32"}`,
  '{"large_list_view":"int32"}': `${NO_TYPE}; stored by another client, it is loaded as {"large_list":"int32"}`,
  '{"run_end_encoded":{"run_ends":"int32","values":"utf8"}}': NO_TYPE,
};

function* columns(): Generator<readonly [string, arrow.Data]> {
  for (const file of ["types", "shapes"]) {
    const { scenarios } = JSON.parse(readFileSync(root("proto", "cases", "scenarios", `${file}.json`), "utf8")) as {
      scenarios: { tables?: Record<string, TableSpec> }[];
    };
    const tables = scenarios.flatMap(({ tables: own = {} }) => Object.values(own));
    for (const { type, values } of tables.flatMap(({ columns: own = [] }): readonly ColumnSpec[] => own)) {
      yield [nameOfSpec(type), dataOf(typeOf(type), values)];
    }
  }
  for (const [name, values] of Object.entries(OTHERS)) {
    const spec = (name.startsWith("{") ? JSON.parse(name) : name) as TypeSpec;
    yield [name, dataOf(typeOf(spec), values)];
  }
  yield ["interval[month_day_nano]", plain(new arrow.IntervalMonthDayNano(), 1, { data: new Int32Array(4) })];
  const fields = [new arrow.Field("0", new arrow.Int64(), true), new arrow.Field("1", new arrow.Utf8(), true)];
  const children = [dataOf(new arrow.Int64(), [1]), dataOf(new arrow.Utf8(), ["a"])];
  const members = '[{"name":"0","type":"int64"},{"name":"1","type":"utf8"}]';
  const typeIds = Int8Array.of(0);
  const dense = { typeIds, valueOffsets: Int32Array.of(0), children };
  yield [`{"dense_union":${members}}`, plain(new arrow.DenseUnion([0, 1], fields), 1, dense)];
  yield [`{"sparse_union":${members}}`, plain(new arrow.SparseUnion([0, 1], fields), 1, { typeIds, children })];
}

function plain(type: arrow.DataType, length: number, parts: object): arrow.Data {
  return arrow.makeData({ type, length, nullCount: 0, ...parts } as never);
}

function nameOfSpec(type: TypeSpec): string {
  return typeof type === "string" ? type : JSON.stringify(type);
}

function tableOf(data: arrow.Data): PolarwayTable {
  const schema = schemaWith([new arrow.Field("c", data.type, true)], new Map());
  return new PolarwayTable(schema, [batchOf(schema, data.length, [data])]);
}

/** The name of a type as which another one is handed over. */
function handedOver(type: arrow.DataType): string {
  if (arrow.DataType.isDecimal(type)) {
    return `decimal${type.bitWidth}(${type.precision}, ${type.scale})`;
  }
  if (arrow.DataType.isDictionary(type)) {
    return JSON.stringify({
      dictionary: { keys: `int${type.indices.bitWidth}`, values: String(type.dictionary).toLowerCase() },
    });
  }
  return String(type).toLowerCase();
}

await withServer(async ({ address }) => {
  await test("what comes of each type is what the file for the page about types says", async (t) => {
    const client = clientOf(t, address);
    const found: Record<string, string> = { ...NOT_THERE };
    for (const [name, data] of columns()) {
      const table = tableOf(data);
      try {
        await client.store("t", table);
        const loaded = await client.load("t");
        const own = loaded.schema.fields[0]?.type as arrow.DataType;
        assert.deepEqual(textsOf(loaded, 0), textsOf(table, 0), name);
        const isSame = String(own) === String(data.type) && handedOver(own) === handedOver(data.type);
        found[name] = isSame ? "same" : `as ${handedOver(own)}`;
      } catch (error) {
        if (!(error instanceof PolarwayError)) {
          throw error;
        }
        found[name] = `refused: ${error.message}`;
      }
    }
    const sorted = Object.fromEntries(Object.entries(found).sort(([one], [other]) => (one < other ? -1 : 1)));
    const text = `${JSON.stringify({ store_and_load: sorted }, null, 2)}\n`;
    const file = project("types.json");
    if (process.env["UPDATE_DOCS"] !== undefined) {
      writeFileSync(file, text);
    }
    assert.ok(readdirSync(project()).includes("types.json"), "UPDATE_DOCS=1 writes it");
    assert.equal(readFileSync(file, "utf8"), text, "UPDATE_DOCS=1 writes what came of each type");
  });
});
