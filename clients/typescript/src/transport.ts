// What calls need from the network. The implementation for Node.js is in `http2/`; one for browsers would be another.

import type { Address } from "./address.js";

/** A server, by its place in the list of those that a client knows. */
export interface Worker {
  readonly index: number;
  readonly address: Address;
}

/** What a call is made with, besides its messages. */
export interface CallOptions {
  /** Headers, by their names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  /** Ends the call when it is aborted; every wait then rejects with its reason. */
  readonly signal: AbortSignal | undefined;
  /** The server ends the call after so long. */
  readonly timeMs?: number | undefined;
}

/** Nothing came in the time that was given for it. */
export class Late extends Error {}

/** The messages that a server sends in one call. */
export interface Incoming {
  /**
   * The next message; `undefined` behind the last one of a call that succeeded.
   *
   * Rejects with `CallFailed` if the call failed, and with `Late` if no message came in this time: then the call is
   * over.
   */
  next(withinMs: number): Promise<Uint8Array | undefined>;

  /** Ends the call, so that the server stops its work. A call that is over stays as it is. */
  cancel(): void;
}

/** The messages that a client sends in one call, and the server's answer. */
export interface Outgoing {
  /**
   * Sends a message, which is given in pieces, as soon as there is room for it.
   *
   * Resolves to whether more may be sent; if not, the server has answered early, or the call failed: `answer` tells.
   * Rejects with `Late` if the server took nothing in this time.
   */
  send(pieces: readonly Uint8Array[], withinMs: number): Promise<boolean>;

  /** Says that all is sent, and waits for the answer. Rejects as `Incoming.next` does. */
  answer(withinMs: number): Promise<Uint8Array>;

  /** Ends the call. A call that is over stays as it is. */
  cancel(): void;
}

/** Calls to workers. */
export interface Transport {
  /**
   * Makes a call with one message and one answer. The server gets the time limit too. Rejects as `Incoming.next` does.
   */
  unary(worker: Worker, path: string, message: Uint8Array, options: CallOptions): Promise<Uint8Array>;

  /** Makes a call with one message and a stream of answers. */
  open(worker: Worker, path: string, message: Uint8Array, options: CallOptions): Incoming;

  /** Makes a call with a stream of messages and one answer. */
  upload(worker: Worker, path: string, options: CallOptions): Outgoing;

  /** Ends all calls, and closes the connections. */
  close(): Promise<void>;
}
