// Calls with a single answer, against a real server.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttp2Server } from "node:http2";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { PolarwayError, PreciseDate } from "../src/index.js";
import { clientOf, withServer } from "./tools/server.js";

await withServer(async ({ address }) => {
  await test("a server tells who it is, how its cache is, and that it is well", async (t) => {
    const client = clientOf(t, address);
    assert.equal(await client.healthCheck(), "OK");
    const info = await client.serverInfo();
    assert.match(info.serverVersion, /^\d+\.\d+\.\d+$/);
    assert.ok(info.started instanceof PreciseDate && info.started.getTime() <= Date.now());
    assert.deepEqual(Object.keys(await client.cacheStats()), [
      "hits",
      "misses",
      "hitRate",
      "tables",
      "bytes",
      "capacityBytes",
      "evictions",
    ]);
    assert.deepEqual(await client.queries(), []);
  });

  await test("a dataset is listed, described, versioned, and deleted", async (t) => {
    const client = clientOf(t, address);
    await client.store("history", { n: [1, 2, 3] });
    await client.append("history", { n: [4n] });
    const described = await client.describe("history");
    assert.deepEqual([described.version, described.rows, described.schema.fields.map(String)], [2, 4, ["n: Int64"]]);
    assert.equal((await client.describe("history", { version: 1 })).rows, 3);
    assert.equal((await client.describe("history", { asOf: described.time })).version, 2);
    assert.ok(
      (await client.datasets()).some(
        ({ name, rows, error }) => name === "history" && rows === 4 && error === undefined,
      ),
    );
    assert.equal((await client.delete("history", { expectedVersion: 2 })).version, 3);
    assert.deepEqual(
      (await client.versions("history")).map(({ version, kind }) => [version, kind]),
      [
        [1, "overwrite"],
        [2, "append"],
        [3, "delete"],
      ],
    );
    await assert.rejects(client.load("history"), { code: "NOT_FOUND", reason: "UNKNOWN_DATASET" });
    assert.deepEqual((await client.load("history", { version: 1 })).toColumns(), { n: [1n, 2n, 3n] });
  });

  await test("a refusal has the server's message, its code and reason, and the id of the call", async (t) => {
    const client = clientOf(t, address);
    await client.store("trades", { n: [1] });
    const error = await client.load("tradse").catch((caught: unknown) => caught);
    assert.ok(error instanceof PolarwayError);
    assert.deepEqual(
      [error.name, error.code, error.reason, error.retryable],
      ["PolarwayError", "NOT_FOUND", "UNKNOWN_DATASET", false],
    );
    assert.match(error.message, /"tradse".*trades/);
    assert.match(error.requestId ?? "", /^[0-9a-f-]{36}$/);
  });

  await test("some columns and rows of a table are loaded, and the others are not sent", async (t) => {
    const client = clientOf(t, address);
    await client.store("wide", { a: [0, 1, 2, 3], b: ["w", "x", "y", "z"], c: [true, false, null, true] });
    const some = await client.load("wide", { columns: ["c", "b"], rows: [1, 3] });
    assert.deepEqual(some.toRows(), [
      { c: false, b: "x" },
      { c: null, b: "y" },
    ]);
    assert.equal((await client.load("wide", { rows: [4] })).numRows, 0);
    await assert.rejects(client.load("wide", { rows: [5] }), { code: "INVALID_ARGUMENT" });
    await assert.rejects(client.load("wide", { columns: "d" }), { reason: "UNKNOWN_COLUMN" });
  });

  await test("parameters are sent apart from the text, with their types", async (t) => {
    const client = clientOf(t, address);
    const sql = "SELECT $1 AS a, $2 AS b, $3 AS c, $4 AS d, $5 AS e, $6 AS f";
    const parameters = [1, "'; DROP", null, 2n ** 63n - 1n, 0.5, true];
    const [row] = (await client.query(sql, { parameters })).toRows();
    assert.deepEqual(Object.values(row ?? {}), [1n, "'; DROP", null, 2n ** 63n - 1n, 0.5, true]);
    const named = await client.query("SELECT $n + 1 AS n, $list AS list", { parameters: { n: 41, list: ["a"] } });
    assert.deepEqual(named.toRows(), [{ n: 42n, list: ["a"] }]);
  });

  await test("a call is a part of the trace that the program is in", async (t) => {
    const symbol = Symbol.for("opentelemetry.js.api.1");
    const sent: string[] = [];
    const server = createHttp2Server((request, response) => {
      sent.push(`${request.headers["traceparent"]} ${request.headers["tracestate"]} ${request.headers["baggage"]}`);
      response.writeHead(200, { "content-type": "application/grpc", "grpc-status": "12" }).end();
    }).listen(0, "127.0.0.1");
    await once(server, "listening");
    t.after(() => server.close());
    const active = {
      traceparent: `00-${"a".repeat(32)}-${"b".repeat(16)}-01`,
      tracestate: "vendor=7",
      baggage: "secret=1",
    };
    Reflect.set(globalThis, symbol, {
      context: { active: () => active },
      propagation: {
        inject: (
          context: object,
          carrier: object,
          setter: { set: (carrier: object, name: string, value: string) => void },
        ) => {
          for (const [name, value] of Object.entries(context)) {
            setter.set(carrier, name, value);
          }
        },
      },
    });
    t.after(() => Reflect.deleteProperty(globalThis, symbol));
    const client = clientOf(t, `127.0.0.1:${(server.address() as AddressInfo).port}`);
    await assert.rejects(client.healthCheck(), { code: "UNIMPLEMENTED", message: /is no Polarway server/ });
    assert.equal(sent[0], `${active.traceparent} vendor=7 undefined`);
  });

  await test("what can't be used is refused by name, and nothing is sent", async (t) => {
    const client = clientOf(t, "127.0.0.1:1");
    const refused: [Promise<unknown>, RegExp][] = [
      [client.load(7 as never), /^7 is not the name of a dataset/],
      [client.load("half \ud800"), /half of a character/],
      [client.load("t", { columns: [] }), /one column at least/],
      [client.load("t", { rows: [-1] }), /\[-1\] are no rows/],
      [client.load("t", { version: 1, asOf: new Date() }), /leave one out/],
      [client.load("t", { asOf: new Date("never") }), /Invalid Date is no time/],
      [client.load("t", { colums: ["a"] } as never), /no option "colums": there are version, asOf, columns/],
      [client.query(Symbol("s") as never), /is not SQL/],
      [client.query("SELECT 1", { timeLimit: 0 }), /0 is no time limit/],
      [client.query("SELECT ?", { parameters: "a" as never }), /a are no parameters/],
      [client.query("SELECT ?", { parameters: [2n ** 64n] }), /parameter "1" has 18446744073709551616/],
      [client.query("SELECT $x", { parameters: { x: () => 1 } }), /parameter "x" has a function/],
      [client.queryHandle("SELECT 1", { ttl: -1 }), /-1 is no time to live/],
      [client.delete("t", { expectedVersion: 1.5 }), /1.5 is no number of a version/],
      [client.store("t", { a: [1] }, { mode: "append" as never }), /"append".*"overwrite" or "create"/],
      [client.storeBatch([] as never), /no object of names and tables/],
      [client.load("t", { signal: 5 as never }), /5 is no signal: give an AbortSignal/],
      [client.load("t", null as never), /the options of a load are an object/],
      [client.cancel(null as never), /null is not the id of a query/],
    ];
    for (const [call, message] of refused) {
      await assert.rejects(call, { name: "PolarwayError", code: "INVALID_ARGUMENT", message, requestId: undefined });
    }
  });
});
