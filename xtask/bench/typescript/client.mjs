// The TypeScript client's side of `cargo xtask bench --clients`: client.mjs DATA WORK SERVER.
//
// Reads names of measures from standard input and answers each with a line of JSON, as the other participants do.
// SERVER is the program of the server; POLARWAY_BENCH_CLIENT is the folder of the client's package, which is built. The
// peer is `@grpc/grpc-js`, with windows as large as the client's, and `tableFromIPC`.
//
// Seconds are CPU time of this process for a table, as a program has other work to do meanwhile, and time for a small
// one.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { pathToFileURL } from "node:url";
import * as grpc from "@grpc/grpc-js";
import { RecordBatchReader, tableFromIPC } from "apache-arrow";

const [data, work, program] = process.argv.slice(2);
const clientFolder = process.env.POLARWAY_BENCH_CLIENT;
const { PolarwayClient } = await import(pathToFileURL(join(clientFolder, "dist", "esm", "index.js")));
const { PolarwayService } = await import(
  pathToFileURL(join(clientFolder, "dist", "esm", "generated", "polarway", "v1", "service_pb.js"))
);
const { create, fromBinary, toBinary } = await import(
  pathToFileURL(join(clientFolder, "node_modules", "@bufbuild", "protobuf", "dist", "esm", "index.js"))
);

const SMALL_ROWS = 1_000;
const SHORT_CALLS = 501;
const WINDOW_BYTES = 16 << 20;

/** What is made once, when it is first needed. */
function once_(make) {
  let made;
  return () => (made ??= make());
}

const ready = once_(async () => {
  const flags = ["--bind", "127.0.0.1:0", "--janitor-interval", "never", "--cache-size", "4.0", "--data-dir", work];
  const server = spawn(program, flags, { stdio: ["ignore", "inherit", "pipe"] });
  process.on("exit", () => server.kill());
  const address = await new Promise((resolve, reject) => {
    createInterface({ input: server.stderr }).on("line", (line) => {
      const found = /listening on (\S+)/.exec(line)?.[1];
      if (found !== undefined) {
        resolve(found);
      }
    });
    once(server, "exit").then(() => reject(new Error("the server ended")));
  });
  const client = new PolarwayClient({ host: address, timeout: 120_000 });
  const stored = await client.store("stored", async () =>
    RecordBatchReader.from(createReadStream(join(data, "table.arrow"))),
  );
  await client.store("small", await client.load("stored", { rows: [0, SMALL_ROWS] }));
  const peer = new grpc.Client(address, grpc.credentials.createInsecure(), {
    "grpc.max_receive_message_length": -1,
    "grpc-node.flow_control_window": WINDOW_BYTES,
  });
  return { client, peer, rows: stored.rows };
});

async function load() {
  const { client, rows } = await ready();
  return cpuSeconds(async () => {
    const table = await client.load("stored");
    expect(table.numRows, rows);
  });
}

async function loadWithPeer() {
  const { peer, rows } = await ready();
  return cpuSeconds(async () => {
    const { input, output, parent, name } = PolarwayService.method.load;
    const encode = (request) => Buffer.from(toBinary(input, request));
    const decode = (bytes) => fromBinary(output, bytes);
    const call = peer.makeServerStreamRequest(
      `/${parent.typeName}/${name}`,
      encode,
      decode,
      create(input, { name: "stored" }),
    );
    const chunks = [];
    for await (const { chunk } of call) {
      if (chunk !== undefined) {
        chunks.push(chunk.ipc);
      }
    }
    expect(tableFromIPC(chunks).numRows, rows);
  });
}

/** What is too short to be measured once: the median of many. */
async function loadSmall() {
  const { client } = await ready();
  const seconds = [];
  for (let call = 0; call < SHORT_CALLS; call += 1) {
    const began = performance.now();
    expect((await client.load("small")).numRows, SMALL_ROWS);
    seconds.push((performance.now() - began) / 1000);
  }
  return seconds.sort((one, other) => one - other)[SHORT_CALLS >> 1];
}

async function cpuSeconds(run) {
  globalThis.gc?.();
  const began = process.cpuUsage();
  await run();
  const { user, system } = process.cpuUsage(began);
  return (user + system) / 1e6;
}

function expect(found, wanted) {
  if (found !== wanted) {
    throw new Error(`${found} rows and not ${wanted}`);
  }
}

const MEASURES = { "typescript-load": load, "grpc-js.load": loadWithPeer, "typescript-load-small": loadSmall };

for await (const name of createInterface({ input: process.stdin })) {
  try {
    console.log(JSON.stringify({ name, seconds: await MEASURES[name]() }));
  } catch (error) {
    console.log(JSON.stringify({ name, error: String(error?.stack ?? error) }));
  }
}
process.exit();
