// One call over a connection of HTTP/2.

import type { ClientHttp2Stream, IncomingHttpHeaders, IncomingHttpStatusHeader } from "node:http2";
import { constants } from "node:http2";
import { CallFailed, protocolError } from "../failure.js";
import type { CallOptions } from "../transport.js";
import { Late } from "../transport.js";
import { after } from "../wait.js";
import type { Connection } from "./connection.js";
import { MessageReader, prefix } from "./frames.js";
import { failureOfConnection, failureOfHttpStatus, failureOfReset, failureOfTrailers } from "./status.js";

// So many messages may wait for their reader. Then the server is not read from any more, and stops sending when its
// window of 16 MiB is used up.
const MOST_WAITING = 4;

// So many bytes may wait for the connection before a sender has to wait.
const MOST_UNSENT_BYTES = 2 << 20;

// The longest time that gRPC's header can say in milliseconds.
const MOST_TIME_MS = 99_999_999;

/** A wait for something to happen on the stream. */
interface Waiter {
  /** Whether what is waited for is there. */
  readonly isReady: () => boolean;
  readonly settle: (error?: Error) => void;
}

/** The messages of a call, in both directions. */
export class GrpcStream {
  readonly #connection: Connection;
  readonly #stream: ClientHttp2Stream;
  readonly #options: CallOptions;
  readonly #reader = new MessageReader();
  readonly #messages: Uint8Array[] = [];
  readonly #onAbort = () => this.#end(this.#options.signal?.reason, constants.NGHTTP2_CANCEL);
  #trailers: IncomingHttpHeaders | undefined;
  #isOver = false;
  // Why it failed: `CallFailed`, or the reason of the signal.
  #error: unknown;
  #unsentBytes = 0;
  #waiter: Waiter | undefined;

  constructor(connection: Connection, path: string, options: CallOptions) {
    this.#connection = connection;
    this.#options = options;
    const headers: Record<string, string> = {
      ":method": "POST",
      ":path": path,
      "content-type": "application/grpc",
      te: "trailers",
      ...options.headers,
    };
    if (options.timeMs !== undefined) {
      headers["grpc-timeout"] = `${Math.min(Math.max(Math.ceil(options.timeMs), 1), MOST_TIME_MS)}m`;
    }
    try {
      this.#stream = connection.session.request(headers, { endStream: false });
    } catch (error) {
      // The server may have ended the connection since it was chosen.
      throw new CallFailed(failureOfConnection(error, connection.address, true));
    }
    connection.enter();
    this.#stream.on("response", (response) => this.#onResponse(response));
    this.#stream.on("data", (piece: Buffer) => this.#onData(piece));
    this.#stream.on("trailers", (trailers) => {
      this.#trailers = trailers;
    });
    this.#stream.on("end", () => this.#onEnd());
    // What it says is in the reset's code and in the connection's error.
    this.#stream.on("error", () => {});
    this.#stream.on("close", () => this.#onClose());
    options.signal?.addEventListener("abort", this.#onAbort, { once: true });
  }

  /** Sends a message. Resolves to whether more may be sent. */
  async send(pieces: readonly Uint8Array[], withinMs: number): Promise<boolean> {
    await this.#until(() => this.#unsentBytes < MOST_UNSENT_BYTES, withinMs);
    if (this.#isOver) {
      return false;
    }
    this.#write(pieces);
    return true;
  }

  /** Sends the only message, or the last one. */
  sendLast(message: Uint8Array): void {
    this.#write([message]);
    this.#stream.end();
  }

  /** Says that all is sent. */
  finish(): void {
    this.#stream.end();
  }

  /** The next message; `undefined` behind the last one of a call that succeeded. */
  async next(withinMs: number): Promise<Uint8Array | undefined> {
    await this.#until(() => this.#messages.length > 0, withinMs);
    const message = this.#messages.shift();
    if (message === undefined) {
      if (this.#error !== undefined) {
        throw this.#error;
      }
      return undefined;
    }
    if (this.#messages.length < MOST_WAITING && this.#stream.isPaused()) {
      this.#stream.resume();
    }
    return message;
  }

  /** Ends the call. One that is over stays as it is. */
  cancel(): void {
    this.#end(
      new CallFailed(failureOfReset(constants.NGHTTP2_CANCEL, this.#connection.address)),
      constants.NGHTTP2_CANCEL,
    );
  }

  #write(pieces: readonly Uint8Array[]): void {
    const length = pieces.reduce((sum, piece) => sum + piece.length, 0);
    this.#unsentBytes += length;
    this.#stream.cork();
    this.#stream.write(prefix(length));
    pieces.forEach((piece, index) => {
      const isLast = index === pieces.length - 1;
      this.#stream.write(piece, isLast ? () => this.#onSent(length) : undefined);
    });
    this.#stream.uncork();
  }

  #onSent(length: number): void {
    this.#unsentBytes -= length;
    this.#wake();
  }

  #onResponse(response: IncomingHttpHeaders & IncomingHttpStatusHeader): void {
    const status = response[":status"] ?? 0;
    if ("grpc-status" in response) {
      // An answer without messages has its status in its only headers.
      this.#trailers = response;
    } else if (status !== 200) {
      const failure = failureOfHttpStatus(status, this.#connection.address);
      this.#end(new CallFailed(failure), constants.NGHTTP2_CANCEL);
    } else if (!String(response["content-type"] ?? "").startsWith("application/grpc")) {
      const failure = failureOfHttpStatus(404, this.#connection.address);
      this.#end(new CallFailed(failure), constants.NGHTTP2_CANCEL);
    }
  }

  #onData(piece: Buffer): void {
    try {
      this.#messages.push(...this.#reader.push(piece));
    } catch (error) {
      this.#end(error, constants.NGHTTP2_CANCEL);
      return;
    }
    if (this.#messages.length >= MOST_WAITING) {
      this.#stream.pause();
    }
    this.#wake();
  }

  #onEnd(): void {
    if (this.#trailers === undefined) {
      // Trailers may come after the end of the data; without any, the stream closes.
      return;
    }
    this.#end(this.#failureOfTrailers(this.#trailers), undefined);
  }

  #onClose(): void {
    if (this.#isOver) {
      return;
    }
    if (this.#trailers !== undefined) {
      this.#end(this.#failureOfTrailers(this.#trailers), undefined);
    } else if (!this.#connection.isOpen) {
      this.#end(this.#connection.failure(), undefined);
    } else {
      this.#end(new CallFailed(failureOfReset(this.#stream.rstCode, this.#connection.address)), undefined);
    }
  }

  #failureOfTrailers(trailers: IncomingHttpHeaders): Error | undefined {
    const failure = failureOfTrailers(trailers, this.#connection.address, this.#options.timeMs);
    if (failure !== undefined) {
      return new CallFailed(failure);
    }
    return this.#reader.isInside ? protocolError("the server ended a call inside of a message") : undefined;
  }

  /** The call is over: it succeeded, or failed with this error. The server is told, if it does not know. */
  #end(error: unknown, resetCode: number | undefined): void {
    if (this.#isOver) {
      return;
    }
    this.#isOver = true;
    this.#error = error;
    this.#options.signal?.removeEventListener("abort", this.#onAbort);
    this.#connection.leave();
    if (resetCode !== undefined) {
      // What has arrived is of no use any more.
      this.#messages.length = 0;
      this.#stream.close(resetCode);
    }
    // A stream is closed only when all was read.
    this.#stream.resume();
    this.#wake();
  }

  #wake(): void {
    if (this.#waiter !== undefined && (this.#isOver || this.#waiter.isReady())) {
      this.#waiter.settle();
    }
  }

  /**
   * Waits until something is there or the call is over. Rejects with `Late`, and ends the call, if that takes too long.
   */
  async #until(isReady: () => boolean, withinMs: number): Promise<void> {
    if (this.#isOver || isReady()) {
      return;
    }
    await new Promise<void>((resolve, reject) => {
      const { bytesRead } = this.#connection;
      const callOff = after(withinMs, () => {
        if (this.#connection.bytesRead === bytesRead) {
          this.#connection.retire();
        }
        this.#waiter?.settle(new Late());
        this.cancel();
      });
      this.#waiter = {
        isReady,
        settle: (error) => {
          callOff();
          this.#waiter = undefined;
          error === undefined ? resolve() : reject(error);
        },
      };
    });
  }
}
