// Results that stay on the server.

import assert from "node:assert/strict";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { PolarwayClient } from "../src/index.js";
import { Handle } from "../src/index.js";
import { proxyBefore } from "./tools/breakingProxy.js";
import { clientOf, withServer } from "./tools/server.js";

const NUMBERS = "SELECT range AS n, range % 3 AS k FROM range(1000)";

await withServer(async ({ address }) => {
  const exists = async (client: PolarwayClient, id: string) =>
    (await client.handles()).some((handle) => handle.id === id);

  await test("a handle has its rows and columns, is loaded and queried by its id, and dropped", async (t) => {
    const client = clientOf(t, address);
    const handle = await client.queryHandle(NUMBERS, { ttl: 60_000 });
    assert.match(handle.id, /^h_[a-z2-7]{26}$/);
    assert.deepEqual([handle.rows, handle.columns, handle.ttl], [1_000, ["n", "k"], 60_000]);
    assert.equal((await handle.load({ columns: "n", rows: [10, 20] })).numRows, 10);
    assert.equal((await client.load(handle.id)).numRows, 1_000);
    assert.deepEqual((await client.query(`SELECT max(n) AS most FROM ${handle.id}`)).toRows(), [{ most: 999n }]);
    const before = handle.expires.getTime();
    await handle.extend(120_000);
    assert.ok(handle.ttl === 120_000 && handle.expires.getTime() > before);
    assert.equal((await client.handle(handle.id)).rows, 1_000);
    await handle.drop();
    await handle.drop();
    await assert.rejects(handle.load(), { code: "NOT_FOUND", reason: "HANDLE_DROPPED" });
    await assert.rejects(client.handle("h_none"), { code: "INVALID_ARGUMENT", reason: "INVALID_HANDLE" });
  });

  await test("fluent methods run on the server at once, and lazy ones as one query", async (t) => {
    const client = clientOf(t, address);
    await client.store("names", { k: [0, 1], name: ["zero", "one"] });
    const numbers = await client.queryHandle(NUMBERS);
    const late = await numbers.filter("n >= 990");
    assert.ok(late instanceof Handle && late.rows === 10);
    const grouped = await (await late.groupBy("k").agg("count(*) AS rows", "max(n) AS most")).sort("k");
    assert.deepEqual((await grouped.load()).toColumns(), {
      k: [0n, 1n, 2n],
      rows: [4n, 3n, 3n],
      most: [999n, 997n, 998n],
    });
    const lazy = numbers
      .lazy()
      .filter("n < $most")
      .withColumns("n * 2 AS double")
      .join("names", "k", "left")
      .select("n", "double", "name")
      .sort("n DESC")
      .limit(2);
    const rows = (await lazy.collect({ parameters: { most: 5 } })).toRows();
    assert.deepEqual(rows, [
      { n: 4n, double: 8n, name: "one" },
      { n: 3n, double: 6n, name: "zero" },
    ]);
    const others = await numbers
      .lazy()
      .join(late.lazy().select("n"), "n", "anti")
      .distinct()
      .sql("SELECT count(*) AS n FROM self")
      .collect();
    assert.deepEqual(others.toRows(), [{ n: 990n }]);
    assert.throws(() => numbers.lazy().filter("n; DROP"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(numbers.filter("n; DROP"), { code: "INVALID_ARGUMENT" });
    await assert.rejects(numbers.select("missing"), { code: "INVALID_ARGUMENT", reason: "INVALID_QUERY" });
  });

  await test("a handle is dropped at the end of its block, or when nobody has it any more, unless it is kept", async (t) => {
    const client = clientOf(t, address);
    let id = "";
    {
      await using handle = await client.queryHandle(NUMBERS);
      id = handle.id;
      assert.ok(await exists(client, id));
    }
    assert.ok(!(await exists(client, id)));
    const kept = await (async () => {
      const handle = await client.queryHandle(NUMBERS);
      handle.keep();
      id = (await client.queryHandle(NUMBERS)).id;
      return handle.id;
    })();
    const deadline = performance.now() + 60_000;
    while ((await exists(client, id)) && performance.now() < deadline) {
      globalThis.gc?.();
      await sleep(20);
    }
    assert.ok(!(await exists(client, id)));
    assert.ok(await exists(client, kept));
  });

  await test("a stream of a handle keeps it, and a resumable query goes on where its connection broke", async (t) => {
    const client = clientOf(t, address);
    const stream = (await client.queryHandle("SELECT range AS n FROM range(300000)")).loadStream();
    globalThis.gc?.();
    assert.equal((await stream.readAll()).numRows, 300_000);
    const sql = "SELECT range AS n, 'x' || range AS text FROM range(300000)";
    const breaking = await proxyBefore(t, address, 3_000_000);
    const resumable = clientOf(t, breaking.address).queryStream(sql, { resumable: true });
    let rows = 0;
    for await (const piece of resumable) {
      rows += piece.numRows;
    }
    assert.deepEqual([rows, breaking.failures], [300_000, 1]);
    assert.equal((await client.query(sql, { resumable: true })).numRows, 300_000);
    await assert.rejects(client.query(sql, { resumable: true, hugeintAsText: true }), { code: "INVALID_ARGUMENT" });
    const huge = await client.query("SELECT 170141183460469231731687303715884105727::HUGEINT AS h", {
      hugeintAsText: true,
    });
    assert.deepEqual(huge.toRows(), [{ h: "170141183460469231731687303715884105727" }]);
  });

  await test("the summary tells which workers ran the query, and an engine that there is not is refused", async (t) => {
    const client = clientOf(t, address);
    const stream = client.queryStream("SELECT 42 AS answer", { engine: "local" });
    for await (const _ of stream) {
      // Its summary comes after its rows.
    }
    assert.deepEqual([stream.summary?.engine, stream.summary?.workers], ["local", 1]);
    const engine = "remote" as "local";
    await assert.rejects(client.query("SELECT 42", { engine }), /remote is no engine/);
    await assert.rejects(client.queryHandle("SELECT 42", { engine }), /remote is no engine/);
  });
});
