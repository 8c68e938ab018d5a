// Calls that are aborted, time limits, many calls at once, and what is left behind.

import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { test } from "node:test";
import { PolarwayClient } from "../src/index.js";
import { assertNothingIsLeft } from "./tools/leaks.js";
import { clientOf, withServer } from "./tools/server.js";

const ENDLESS = "SELECT sum(a.range * b.range % 7) FROM range(100000000) a, range(100000000) b";

await withServer(async ({ address }) => {
  /** Waits until the server runs this query, or does not. */
  async function untilRuns(client: PolarwayClient, sql: string, runs: boolean): Promise<void> {
    while ((await client.queries()).some((query) => query.sql === sql && query.phase === "running") !== runs) {
      // It is asked again.
    }
  }

  await test("an aborted query rejects with the reason of the signal, and is stopped on the server", async (t) => {
    const client = clientOf(t, address);
    const controller = new AbortController();
    const running = client.query(ENDLESS, { signal: controller.signal });
    const reason = new Error("not wanted any more");
    const rejected = assert.rejects(running, reason);
    await untilRuns(client, ENDLESS, true);
    controller.abort(reason);
    await rejected;
    await untilRuns(client, ENDLESS, false);
    assert.equal(await client.healthCheck(), "OK");
  });

  await test("a signal that was aborted before is an error of every call, and nothing is sent", async (t) => {
    const client = clientOf(t, "127.0.0.1:1");
    const signal = AbortSignal.abort("before");
    const calls = [
      client.healthCheck({ signal }),
      client.serverInfo({ signal }),
      client.load("t", { signal }),
      client.loadStream("t", { signal }).next(),
      client.query("SELECT 1", { signal }),
      client.queryStream("SELECT 1", { signal }).readAll(),
      client.queryHandle("SELECT 1", { signal }),
      client.store("t", { n: [1] }, { signal }),
      client.storeBatch({ t: { n: [1] } }, { signal }),
      client.append("t", { n: [1] }, { signal }),
      client.datasets({ signal }),
      client.describe("t", { signal }),
      client.versions("t", { signal }),
      client.delete("t", { signal }),
      client.queries({ signal }),
      client.cancel("q", { signal }),
      client.handles({ signal }),
      client.dropHandle("h", { signal }),
    ];
    for (const result of await Promise.allSettled(calls)) {
      assert.deepEqual(result, { status: "rejected", reason: "before" });
    }
  });

  await test("the waits between tries, and for a connection, are aborted too", async (t) => {
    // It takes connections and says nothing.
    const mute = createServer((socket) => socket.resume()).listen(0, "127.0.0.1");
    await once(mute, "listening");
    t.after(() => mute.close());
    const client = clientOf(t, `127.0.0.1:${(mute.address() as AddressInfo).port}`);
    await assert.rejects(client.load("t", { signal: AbortSignal.timeout(200) }), { name: "TimeoutError" });
  });

  await test("a stream that is left in its middle stops the query", async (t) => {
    const client = clientOf(t, address);
    const sql = "SELECT a.range AS n, repeat('x', 100) AS x FROM range(1000000000) a";
    for await (const piece of client.queryStream(sql)) {
      assert.ok(piece.numRows > 0);
      break;
    }
    await untilRuns(client, sql, false);
    {
      await using stream = client.queryStream(sql);
      await stream.begin();
    }
    await untilRuns(client, sql, false);
  });

  await test("a time limit ends a query on the server, with its reason", async (t) => {
    const client = clientOf(t, address);
    await assert.rejects(client.query(ENDLESS, { timeLimit: 300 }), {
      code: "DEADLINE_EXCEEDED",
      reason: "DEADLINE_EXCEEDED",
    });
    await untilRuns(client, ENDLESS, false);
  });

  await test("two hundred calls run at once on one client, and with one signal", async (t) => {
    const client = clientOf(t, address, { timeout: 120_000 });
    const { signal } = new AbortController();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on("warning", note);
    t.after(() => process.off("warning", note));
    await client.store("shared", { n: Array.from({ length: 1_000 }, (_, row) => row) });
    const calls = Array.from({ length: 200 }, async (_, index) => {
      switch (index % 4) {
        case 0:
          return (await client.load("shared", { signal })).numRows === 1_000;
        case 1:
          return (await client.query(`SELECT ${index} AS n`, { signal })).toRows()[0]?.["n"] === index;
        case 2:
          return (await client.store(`own_${index}`, { n: [index] }, { signal })).rows === 1;
        default:
          return (await client.describe("shared", { signal })).rows === 1_000;
      }
    });
    assert.ok((await Promise.all(calls)).every(Boolean));
    assert.deepEqual(warnings, []);
  });

  await test("a closed client ends its calls, and refuses others", async (t) => {
    const client = new PolarwayClient({ host: address });
    const running = client.query(ENDLESS);
    const rejected = assert.rejects(running, { code: "INVALID_ARGUMENT", message: "this client is closed" });
    await untilRuns(clientOf(t, address), ENDLESS, true);
    await client.close();
    await rejected;
    await assert.rejects(client.healthCheck(), { message: "this client is closed" });
    await client.close();
  });
});

await test("nothing is left when all clients are closed", assertNothingIsLeft);
