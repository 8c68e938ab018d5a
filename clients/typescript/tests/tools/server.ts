// A real server for tests.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import type { ClientOptions } from "../../src/index.js";
import { PolarwayClient } from "../../src/index.js";

/** The program, which `cargo xtask test` names. */
const VARIABLE = "POLARWAY_TEST_SERVER";

// How long it may take on a busy machine to start and to end.
const PATIENCE_MS = 60_000;

/** A server that runs. */
export interface Server {
  /** Where it listens: a host and a port. */
  readonly address: string;
  /** Where its data is. */
  readonly folder: string;
  /** Kills it at once. */
  readonly kill: () => Promise<void>;
}

/** Runs a server on a free port with an empty folder, until the test or the file of tests ends. */
export async function startServer(
  end: (stop: () => Promise<void>) => void,
  flags: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<Server> {
  const program = process.env[VARIABLE];
  if (program === undefined) {
    throw new Error(`${VARIABLE} names no server: build one, and give its path`);
  }
  const folder = temporaryFolder(end);
  // The settings of whoever runs the tests are not the tests'.
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("POLARWAY_"));
  const server = spawn(program, ["--bind", "127.0.0.1:0", "--data-dir", folder, ...flags], {
    env: { ...Object.fromEntries(own), ...variables },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = once(server, "exit");
  async function stop(signal: NodeJS.Signals): Promise<void> {
    if (server.exitCode === null && server.signalCode === null) {
      server.kill(signal);
      const timer = setTimeout(() => server.kill("SIGKILL"), PATIENCE_MS);
      await exited;
      clearTimeout(timer);
    }
  }
  end(() => stop("SIGTERM"));
  const address = await new Promise<string>((resolve, reject) => {
    const said: string[] = [];
    // All that it writes is read: a full pipe would stop it.
    for (const input of [server.stdout, server.stderr]) {
      createInterface({ input }).on("line", (line) => {
        said.push(line);
        const found = /listening on (\S+)/.exec(line)?.[1];
        if (found !== undefined) {
          resolve(found);
        }
      });
    }
    exited.then(() => reject(new Error(`the server did not start; it said: ${said.join("\n")}`)), reject);
  });
  return { address, folder, kill: () => stop("SIGKILL") };
}

/** A folder that is removed at the end. */
export function temporaryFolder(end: (stop: () => Promise<void>) => void): string {
  const folder = mkdtempSync(join(tmpdir(), "polarway-typescript-"));
  end(async () => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** What is done at the end of a test, the last first. */
export function atEnd(test: TestContext): (stop: () => Promise<void>) => void {
  const stops: (() => Promise<void>)[] = [];
  test.after(async () => {
    for (const stop of stops.toReversed()) {
      await stop();
    }
  });
  return (stop) => stops.push(stop);
}

/** A server for all tests of a file, and what is done at the end of the file. */
export async function withServer(
  run: (server: Server) => Promise<void>,
  flags: readonly string[] = [],
  variables: Readonly<Record<string, string>> = {},
): Promise<void> {
  const stops: (() => Promise<void>)[] = [];
  try {
    await run(await startServer((stop) => stops.push(stop), flags, variables));
  } finally {
    for (const stop of stops.toReversed()) {
      await stop();
    }
  }
}

/** A client of these servers, which is closed at the end of the test. */
export function clientOf(
  test: TestContext,
  host: string | readonly string[],
  options: ClientOptions = {},
): PolarwayClient {
  const client = new PolarwayClient({ host, ...options });
  test.after(() => client.close());
  return client;
}
