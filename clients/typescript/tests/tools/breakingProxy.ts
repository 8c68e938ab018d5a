// A proxy between a client and a server that fails at a chosen byte.

import { once } from "node:events";
import type { AddressInfo, Socket } from "node:net";
import { connect, createServer } from "node:net";
import type { TestContext } from "node:test";

/** How a connection fails: both ends are closed, or nothing goes through it any more. */
export type How = "cut" | "silent";

/** Forwards connections to a server, and counts the bytes of both directions together. */
export class BreakingProxy {
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((client) => this.#forward(client));
  readonly #target: { host: string; port: number };
  #failsAfter: number;
  readonly #how: How;
  /** The bytes that have gone through. */
  count = 0;
  /** How many connections have failed. The first that reaches its number of bytes is the only one. */
  failures = 0;
  connections = 0;
  port = 0;

  constructor(server: string, failsAfter = Number.POSITIVE_INFINITY, how: How = "cut") {
    const [host = "", port] = server.split(":");
    this.#target = { host, port: Number(port) };
    this.#failsAfter = failsAfter;
    this.#how = how;
  }

  /** Begins to listen. */
  async listen(port = 0): Promise<this> {
    this.#server.listen(port, "127.0.0.1");
    await once(this.#server, "listening");
    this.port = (this.#server.address() as AddressInfo).port;
    return this;
  }

  get address(): string {
    return `127.0.0.1:${this.port}`;
  }

  /** Fails at the next byte. */
  fail(): void {
    this.#failsAfter = this.count;
  }

  /** Ends all connections. */
  async close(): Promise<void> {
    for (const socket of this.#sockets) {
      socket.destroy();
    }
    if (this.#server.listening) {
      this.#server.close();
      await once(this.#server, "close");
    }
  }

  #forward(client: Socket): void {
    this.connections += 1;
    const server = connect({ ...this.#target, noDelay: true });
    const state = { isSilent: false };
    for (const [from, to] of [
      [client, server],
      [server, client],
    ] as const) {
      this.#sockets.add(from);
      from.on("error", () => {});
      from.on("close", () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.on("data", (part: Buffer) => this.#pass(part, from, to, state));
    }
  }

  #pass(part: Buffer, from: Socket, to: Socket, state: { isSilent: boolean }): void {
    if (state.isSilent) {
      return;
    }
    const fails = this.failures === 0 && this.count + part.length >= this.#failsAfter;
    const passed = fails ? part.subarray(0, this.#failsAfter - this.count) : part;
    this.count += passed.length;
    to.write(passed);
    if (!fails) {
      return;
    }
    this.failures += 1;
    if (this.#how === "silent") {
      state.isSilent = true;
    } else {
      to.end(() => {
        from.destroy();
        to.destroy();
      });
    }
  }
}

/** A proxy before this server, until the test ends. */
export async function proxyBefore(
  test: TestContext,
  server: string,
  failsAfter?: number,
  how?: How,
): Promise<BreakingProxy> {
  const proxy = await new BreakingProxy(server, failsAfter, how).listen();
  test.after(() => proxy.close());
  return proxy;
}
