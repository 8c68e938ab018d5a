// Connections that break or fall silent, at chosen bytes.

import assert from "node:assert/strict";
import { copyFileSync, readdirSync, renameSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { tableOf } from "../src/batches.js";
import { Core } from "../src/core.js";
import { Http2Transport } from "../src/http2/transport.js";
import { PolarwayClient, PolarwayError } from "../src/index.js";
import { Loading } from "../src/load.js";
import { settingsOf } from "../src/settings.js";
import { BreakingProxy, proxyBefore } from "./tools/breakingProxy.js";
import { assertNothingIsLeft } from "./tools/leaks.js";
import { clientOf, withServer } from "./tools/server.js";

const ROWS = 300_000;
const QUERY = "SELECT range AS n, 'x' || range AS text FROM range(300000)";
// Before the first answer, which is about the protocol's revision, nothing is tried again.
const GREETED_BYTES = 2_000;

/** The bytes that go through a connection while a client makes a call. */
async function bytesOf(
  t: TestContext,
  address: string,
  call: (client: PolarwayClient) => Promise<unknown>,
): Promise<number> {
  const counting = await proxyBefore(t, address);
  await call(clientOf(t, counting.address));
  return counting.count;
}

/** Bytes at which to break: the same in each run. */
function drawn(count: number, most: number): number[] {
  let state = 12_345;
  return Array.from({ length: count }, () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return Math.floor((state / 2_147_483_648) * most);
  });
}

await withServer(async ({ address, folder }) => {
  const setUp = new PolarwayClient({ host: address });
  await setUp.store("big", {
    n: BigInt64Array.from({ length: ROWS }, (_, row) => BigInt(row)),
    x: new Float64Array(ROWS),
  });
  await setUp.close();
  const numbers = (table: { getChild(name: string): unknown }) => [...(table.getChild("n") as Iterable<bigint>)];
  const expected = Array.from({ length: ROWS }, (_, row) => BigInt(row));

  await test("a load whose files change before it continues is told", async (t) => {
    const client = clientOf(t, address);
    await client.store("short", { n: [1n] });
    await client.store("other", { m: BigInt64Array.from({ length: ROWS }, (_, row) => BigInt(row)) });
    for (const other of ["short", "other"]) {
      const name = `adopted_${other}`;
      const place = (dataset: string) => {
        const data = join(folder, "cold", dataset, "_polarway", "data");
        const files = readdirSync(data).filter((file) => file.endsWith(".parquet"));
        assert.equal(files.length, 1);
        copyFileSync(join(data, files[0] ?? ""), join(folder, "new"));
        renameSync(join(folder, "new"), join(folder, "cold", `${name}.parquet`));
      };
      place("big");
      const breaking = await proxyBefore(t, address, 1_200_000);
      const loading = clientOf(t, breaking.address).loadStream(name, { columns: "n" });
      const batches = loading[Symbol.asyncIterator]();
      await batches.next();
      place(other);
      const rest = async () => {
        while ((await batches.next()).done !== true) {}
      };
      await assert.rejects(rest, {
        reason: "CHANGED",
        code: "ABORTED",
        message: /^the files of "adopted_.*" changed while/,
      });
      assert.equal(breaking.failures, 1);
    }
  });

  await test("a load that breaks at any byte continues with the next row", async (t) => {
    const total = await bytesOf(t, address, (client) => client.load("big"));
    const brokenAt = async (byte: number) => {
      const breaking = await proxyBefore(t, address, Math.max(byte, GREETED_BYTES));
      const table = await clientOf(t, breaking.address).load("big");
      assert.deepEqual(numbers(table), expected);
      return breaking;
    };
    for (const byte of drawn(12, total)) {
      const { failures, connections } = await brokenAt(byte);
      assert.deepEqual({ failures, connections }, { failures: 1, connections: 2 }, `broken at ${byte} of ${total}`);
    }
    // How many frames of control go with a load depends on its pace. So the last bytes may not be reached, or the load may be
    // complete without them.
    for (const missing of [1, 2, 10, 30, 100, 1_000]) {
      const { failures, connections } = await brokenAt(total - missing);
      assert.ok(failures <= 1 && connections <= failures + 1, `broken ${missing} before the end`);
    }
  });

  await test("an upload that breaks at any byte is written once", async (t) => {
    const table = { n: Float64Array.from({ length: 200_000 }, (_, row) => row) };
    const total = await bytesOf(t, address, (client) => client.store("up", table));
    for (const [index, byte] of [...drawn(8, total), total - 1, total - 50].entries()) {
      const breaking = await proxyBefore(t, address, Math.max(byte, GREETED_BYTES));
      const published = await clientOf(t, breaking.address).store("up", table);
      assert.deepEqual([published.version, published.rows], [index + 2, 200_000], `broken at ${byte} of ${total}`);
    }
  });

  await test("a query that breaks is run again for who reads a whole result", async (t) => {
    const total = await bytesOf(t, address, (client) => client.query(QUERY));
    for (const part of [0.3, 0.9]) {
      const breaking = await proxyBefore(t, address, Math.floor(total * part));
      assert.equal((await clientOf(t, breaking.address).query(QUERY)).numRows, ROWS);
      assert.equal(breaking.failures, 1);
    }
  });

  await test("the rows of a query that were taken are not asked for twice", async (t) => {
    const breaking = await proxyBefore(t, address);
    const client = clientOf(t, breaking.address);
    // Far more than what is on its way before it is read.
    const stream = client.queryStream("SELECT range AS n FROM range(50_000_000)");
    assert.ok(((await stream.next()).value?.numRows ?? 0) > 0);
    breaking.fail();
    const error = await stream.readAll().catch((caught: unknown) => caught);
    assert.ok(
      error instanceof PolarwayError && error.code === "UNAVAILABLE" && error.requestId !== undefined,
      String(error),
    );
    // The client goes on.
    assert.equal((await client.query("SELECT 1 AS one")).numRows, 1);
  });

  await test("an answer that is lost is asked for again", async (t) => {
    const total = await bytesOf(t, address, (client) => client.serverInfo());
    const breaking = await proxyBefore(t, address, total - 60);
    assert.ok((await clientOf(t, breaking.address).serverInfo()).workerId);
    assert.equal(breaking.failures, 1);
  });

  await test("a server that comes back is found again", async (t) => {
    const there = await new BreakingProxy(address).listen();
    const client = clientOf(t, there.address, { timeout: 60_000 });
    assert.ok(await client.datasets());
    const port = there.port;
    await there.close();
    const listing = client.datasets();
    const back = await new BreakingProxy(address).listen(port);
    t.after(() => back.close());
    assert.ok(await listing);
  });

  await test("a break that lasts is an error within the timeout, and a wrong address one at once", async (t) => {
    const there = await new BreakingProxy(address).listen();
    const client = clientOf(t, there.address, { timeout: 1_000 });
    await client.datasets();
    await there.close();
    const message =
      /^no answer within 1000 ms, in \d+ tries; the last said: 127\.0\.0\.1:\d+ can't be reached: connect ECONNREFUSED/;
    await assert.rejects(client.datasets(), { code: "UNAVAILABLE", retryable: true, message });
    await assert.rejects(client.load("big"), { code: "UNAVAILABLE", message });
    const wrong = clientOf(t, there.address, { timeout: 60_000 });
    await assert.rejects(wrong.healthCheck(), { code: "UNAVAILABLE", message: /^127\.0\.0\.1:\d+ can't be reached/ });
    await assert.rejects(wrong.load("big"), { code: "UNAVAILABLE", message: /^127\.0\.0\.1:\d+ can't be reached/ });
  });

  await test("of several workers, the next one is asked where one does not answer", async (t) => {
    for (let times = 0; times < 4; times += 1) {
      // Which worker is asked first is drawn.
      const client = clientOf(t, ["127.0.0.1:1", `http://${address}`]);
      assert.equal(await client.healthCheck(), "OK");
      assert.equal((await client.load("big", { rows: [0, 5] })).numRows, 5);
    }
  });

  /** A core that waits as long as the server's heartbeats need, and no longer. */
  function impatientCore(t: TestContext, host: string | readonly string[]): Core {
    const settings = settingsOf({ host, timeout: 120_000 });
    const core = new Core(settings, new Http2Transport(undefined), { silenceMs: 2_500, openingMs: 2_500 });
    t.after(() => core.transport.close());
    return core;
  }

  await test("a stream that falls silent continues over a new connection, or at another worker", async (t) => {
    const silent = await proxyBefore(t, address, 2_000_000, "silent");
    const core = impatientCore(t, [silent.address, address]);
    // Which worker is asked first is drawn.
    while (silent.failures === 0) {
      const table = await tableOf(new Loading(core, "big", {}));
      assert.deepEqual(numbers(table), expected);
      if (silent.failures === 0) {
        core.call({ kind: "idempotent" });
        await tableOf(new Loading(impatientCore(t, silent.address), "big", {}));
      }
    }
    assert.equal(silent.failures, 1);
  });

  await test("a connection that does not answer pings is left", async (t) => {
    const silent = await proxyBefore(t, address, 1_000_000, "silent");
    // Its own patience is longer than that of the connection.
    const core = new Core(settingsOf({ host: silent.address, timeout: 120_000 }), new Http2Transport(undefined), {
      silenceMs: 100_000,
      openingMs: 100_000,
    });
    t.after(() => core.transport.close());
    assert.deepEqual(numbers(await tableOf(new Loading(core, "big", {}))), expected);
    assert.deepEqual([silent.failures, silent.connections], [1, 2]);
  });

  await test("a query that takes longer than the timeout is alive as long as its server says so", async (t) => {
    const client = clientOf(t, address, { timeout: 1_200 });
    const slow = "SELECT sum(a.range * b.range % 7) AS s FROM range(40000) a, range(2500) b";
    assert.equal((await client.query(slow)).numRows, 1);
  });

  await test("a program that computes for longer than the patience loses no connection", async (t) => {
    const core = impatientCore(t, address);
    const loading = new Loading(core, "big", {});
    const first = await loading.next();
    const end = performance.now() + 3_000;
    const rest = tableOf(loading);
    while (performance.now() < end) {
      // The event loop stands still.
    }
    assert.equal((first?.numRows ?? 0) + (await rest).numRows, ROWS);
  });
});

await test("nothing is left when all clients are closed", assertNothingIsLeft);
