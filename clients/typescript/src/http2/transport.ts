// Calls over HTTP/2, as Node.js has it.

import { invalidInput, unreachable } from "../failure.js";
import type { TlsOptions } from "../settings.js";
import type { CallOptions, Incoming, Outgoing, Transport, Worker } from "../transport.js";
import type { Connection } from "./connection.js";
import { connect } from "./connection.js";
import { GrpcStream } from "./stream.js";

/** gRPC over one connection to each worker. */
export class Http2Transport implements Transport {
  readonly #tls: TlsOptions | undefined;
  // By the places of the workers.
  readonly #connections = new Map<number, Promise<Connection>>();
  readonly #closing = new AbortController();

  constructor(tls: TlsOptions | undefined) {
    this.#tls = tls;
  }

  async unary(worker: Worker, path: string, message: Uint8Array, options: CallOptions): Promise<Uint8Array> {
    const began = performance.now();
    const timeMs = options.timeMs ?? Number.POSITIVE_INFINITY;
    const connection = await this.#connection(worker, options.signal);
    const stream = new GrpcStream(connection, path, options);
    try {
      stream.sendLast(message);
      return await onlyMessage(stream, Math.max(timeMs - (performance.now() - began), 1));
    } finally {
      stream.cancel();
    }
  }

  open(worker: Worker, path: string, message: Uint8Array, options: CallOptions): Incoming {
    const opening = this.#stream(worker, path, options, (stream) => stream.sendLast(message));
    return {
      next: async (withinMs) => (await opening.opened()).next(withinMs),
      cancel: () => opening.cancel(),
    };
  }

  upload(worker: Worker, path: string, options: CallOptions): Outgoing {
    const opening = this.#stream(worker, path, options, () => {});
    return {
      send: async (pieces, withinMs) => (await opening.opened()).send(pieces, withinMs),
      answer: async (withinMs) => {
        const stream = await opening.opened();
        stream.finish();
        return onlyMessage(stream, withinMs);
      },
      cancel: () => opening.cancel(),
    };
  }

  async close(): Promise<void> {
    this.#closing.abort();
    const connections = [...this.#connections.values()];
    this.#connections.clear();
    for (const made of await Promise.allSettled(connections)) {
      if (made.status === "fulfilled") {
        made.value.destroy();
      }
    }
  }

  /** A stream that is opened as soon as there is a connection, unless it is cancelled before. */
  #stream(worker: Worker, path: string, options: CallOptions, begin: (stream: GrpcStream) => void): Opening {
    let isCancelled = false;
    let opened: GrpcStream | undefined;
    const opening = this.#connection(worker, options.signal).then((connection) => {
      if (isCancelled) {
        throw unreachable("the call was cancelled before it began");
      }
      opened = new GrpcStream(connection, path, options);
      begin(opened);
      return opened;
    });
    // A call that is cancelled may never wait for it: that must not be an unhandled rejection.
    opening.catch(() => {});
    return {
      opened: () => opening,
      cancel: () => {
        isCancelled = true;
        opened?.cancel();
      },
    };
  }

  /** The connection to a worker, which is made if there is none that is open. */
  async #connection(worker: Worker, signal: AbortSignal | undefined): Promise<Connection> {
    signal?.throwIfAborted();
    const present = this.#connections.get(worker.index);
    if (present !== undefined) {
      const connection = await orAborted(present, signal);
      if (connection.isOpen) {
        return connection;
      }
      // Another call may have noticed that as well, and made a new one.
      if (this.#connections.get(worker.index) === present) {
        this.#connections.delete(worker.index);
      }
      return this.#connection(worker, signal);
    }
    return orAborted(this.#connect(worker), signal);
  }

  #connect(worker: Worker): Promise<Connection> {
    if (this.#closing.signal.aborted) {
      throw invalidInput("this client is closed");
    }
    const connecting = connect(worker.address, this.#tls, this.#closing.signal);
    this.#connections.set(worker.index, connecting);
    connecting.catch(() => {
      if (this.#connections.get(worker.index) === connecting) {
        this.#connections.delete(worker.index);
      }
    });
    return connecting;
  }
}

interface Opening {
  readonly opened: () => Promise<GrpcStream>;
  readonly cancel: () => void;
}

/** The message of a call that has one answer. */
async function onlyMessage(stream: GrpcStream, withinMs: number): Promise<Uint8Array> {
  const message = await stream.next(withinMs);
  if (message === undefined) {
    throw unreachable("the call ended without its answer");
  }
  // The status comes after it.
  await stream.next(withinMs);
  return message;
}

/** What a promise gives, unless the signal is aborted before. The work behind the promise goes on. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) {
    return promise;
  }
  let abort: () => void = () => {};
  const aborted = new Promise<never>((_, reject) => {
    abort = () => reject(signal.reason);
    signal.addEventListener("abort", abort, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
