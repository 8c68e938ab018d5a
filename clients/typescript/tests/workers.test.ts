// Several workers over the same tables, behind nginx and without it, some of which are killed.

import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, writeFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { connect, createServer } from "node:net";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { assertNothingIsLeft } from "./tools/leaks.js";
import { atEnd, clientOf, startServer, temporaryFolder } from "./tools/server.js";

const ROWS = 1_000_000;

/** Two workers over one folder of tables. */
async function workers(t: TestContext) {
  const end = atEnd(t);
  const shared = temporaryFolder(end);
  const flags = [
    "--parquet-path",
    join(shared, "cold"),
    "--handle-store",
    "external",
    "--state-dir",
    join(shared, "state"),
  ];
  return { end, shared, first: await startServer(end, flags), second: await startServer(end, flags) };
}

await test("a load, an upload and queries go on at another worker when theirs is killed", async (t) => {
  const { first, second } = await workers(t);
  const table = { n: Float64Array.from({ length: ROWS }, (_, row) => row) };
  await clientOf(t, second.address).store("numbers", table);
  const client = clientOf(t, [first.address, second.address], { timeout: 60_000 });
  const streams = [1, 2].map(() => client.loadStream("numbers"));
  await Promise.all(streams.map((stream) => stream.begin()));
  const storing = client.store("others", table);
  await first.kill();
  for (const stream of streams) {
    let next = 0;
    for await (const piece of stream) {
      const values = piece.getChild("n")?.toArray() as Float64Array;
      assert.ok(values.every((value, index) => value === next + index));
      next += values.length;
    }
    assert.equal(next, ROWS);
  }
  assert.equal((await storing).rows, ROWS);
  assert.equal((await client.versions("others")).length, 1);
  assert.equal(await client.healthCheck(), "OK");
});

await test("behind nginx, calls are answered while a worker is killed", async (t) => {
  if (spawnSync("nginx", ["-v"]).error !== undefined) {
    const reason = "nginx is not installed";
    const file = process.env["POLARWAY_TEST_NOT_RUN"];
    if (file !== undefined) {
      appendFileSync(file, `clients/typescript: behind nginx\t${reason}\n`);
    }
    return t.skip(reason);
  }
  const { end, shared, first, second } = await workers(t);
  const address = await nginxBefore(end, shared, [first.address, second.address]);
  const client = clientOf(t, address, { timeout: 60_000 });
  await client.store("numbers", { n: Float64Array.from({ length: 100_000 }, (_, row) => row) });
  const calls = Array.from({ length: 40 }, async (_, index) => {
    if (index === 10) {
      await first.kill();
    }
    switch (index % 4) {
      case 0:
        return (await client.load("numbers")).numRows === 100_000;
      case 1:
        return (await client.query("SELECT sum(n) AS s FROM numbers")).toRows()[0]?.["s"] === 4_999_950_000;
      case 2:
        return (await client.store(`own_${index}`, { n: [index] })).version === 1;
      default:
        return (await client.describe("numbers")).rows === 100_000;
    }
  });
  assert.ok((await Promise.all(calls)).every(Boolean));
  for (let index = 2; index < 40; index += 4) {
    assert.equal((await client.versions(`own_${index}`)).length, 1);
  }
});

await test("a worker tells with whom it runs queries", async (t) => {
  const end = atEnd(t);
  const alone = clientOf(t, (await startServer(end)).address);
  assert.deepEqual((await alone.serverInfo()).peers, []);
  const [own, nobody] = [await freeAddress(), "127.0.0.1:1"];
  const { address } = await startServer(end, ["--peer-bind", own, "--peers", `${own},${nobody}`]);
  const client = clientOf(t, address);
  let { peers } = await client.serverInfo();
  while (peers.length < 2) {
    await sleep(20);
    ({ peers } = await client.serverInfo());
  }
  const states = peers.map(({ address, state, isOwn, reason }) => [address, state, isOwn, reason === undefined]);
  assert.deepEqual(
    new Set(states.map(String)),
    new Set([`${own},ready,true,true`, `${nobody},unreachable,false,false`]),
  );
});

/** nginx before these workers, and where it listens. */
async function nginxBefore(
  end: (stop: () => Promise<void>) => void,
  folder: string,
  servers: readonly string[],
): Promise<string> {
  const address = await freeAddress();
  const paths = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map((name) => `${name}_temp_path ${folder};`);
  const configuration = `
daemon off;
master_process off;
pid ${folder}/nginx.pid;
error_log stderr crit;
events {}
http {
  access_log off;
  ${paths.join("\n  ")}
  client_max_body_size 0;
  upstream workers { ${servers.map((server) => `server ${server};`).join(" ")} }
  server {
    listen ${address} http2;
    location / { grpc_pass grpc://workers; grpc_buffer_size 64k; grpc_read_timeout 60s; grpc_send_timeout 60s; }
  }
}
`;
  writeFileSync(join(folder, "nginx.conf"), configuration);
  const nginx = spawn("nginx", ["-c", join(folder, "nginx.conf"), "-p", folder], { stdio: "ignore" });
  const exited = once(nginx, "exit");
  end(async () => {
    nginx.kill("SIGKILL");
    await exited;
  });
  while (nginx.exitCode === null && !(await answers(address))) {
    await sleep(20);
  }
  assert.equal(nginx.exitCode, null, "nginx did not start");
  return address;
}

async function freeAddress(): Promise<string> {
  const free = createServer().listen(0, "127.0.0.1");
  await once(free, "listening");
  const address = `127.0.0.1:${(free.address() as AddressInfo).port}`;
  free.close();
  await once(free, "close");
  return address;
}

async function answers(address: string): Promise<boolean> {
  const [host = "", port] = address.split(":");
  const socket = connect(Number(port), host);
  const result = await Promise.race([
    once(socket, "connect").then(() => true),
    once(socket, "close").then(() => false),
  ]).catch(() => false);
  socket.destroy();
  return result;
}

await test("nothing is left when all clients are closed", assertNothingIsLeft);
