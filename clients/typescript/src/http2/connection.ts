// The connection to one worker. It is made when a call needs it, and again after it broke.

import type { ClientHttp2Session } from "node:http2";
import { connect as connectHttp2, constants } from "node:http2";
import type { Socket } from "node:net";
import { connect as connectTcp, isIP } from "node:net";
import { connect as connectTls } from "node:tls";
import type { Address } from "../address.js";
import { urlOf } from "../address.js";
import { CallFailed } from "../failure.js";
import type { TlsOptions } from "../settings.js";
import { after } from "../wait.js";
import { failureOfConnection } from "./status.js";

/** The longest time to connect. */
const CONNECT_MS = 5_000;

// A connection in use that is silent for so long gets a ping, and has the same time to answer it.
const KEEPALIVE_MS = 5_000;

// With small windows and frames, the kernel and Node.js spend more time on a table than its decoding takes.
const SETTINGS = { enablePush: false, initialWindowSize: 16 << 20, maxFrameSize: 1 << 20, maxHeaderListSize: 64 << 10 };
const CONNECTION_WINDOW_BYTES = 2 ** 31 - 1;

// In MB. By default, a session refuses calls while as little as 10 MB are on their way.
const SESSION_MEMORY = 4096;

/** An open connection, and the calls that use it. */
export class Connection {
  readonly #session: ClientHttp2Session;
  readonly #socket: Socket;
  readonly #address: Address;
  #calls = 0;
  #keepalive: NodeJS.Timeout | undefined;
  #bytesSeen = 0;
  #error: Error | undefined;
  #goawayCode = 0;
  #isRetired = false;

  constructor(session: ClientHttp2Session, socket: Socket, address: Address) {
    this.#session = session;
    this.#socket = socket;
    this.#address = address;
    session.on("error", (error) => {
      this.#error ??= error;
    });
    session.on("goaway", (code) => {
      this.#goawayCode = code;
    });
    session.on("close", () => clearInterval(this.#keepalive));
    // A program that makes no calls any more may end.
    session.unref();
  }

  get session(): ClientHttp2Session {
    return this.#session;
  }

  get address(): Address {
    return this.#address;
  }

  /** Whether calls can begin on it. */
  get isOpen(): boolean {
    return !(this.#isRetired || this.#session.closed || this.#session.destroyed);
  }

  /** How many bytes have come. */
  get bytesRead(): number {
    return this.#socket.bytesRead;
  }

  /** Why it broke. */
  failure(): CallFailed {
    const error = this.#error ?? new Error("the connection was closed");
    return new CallFailed(failureOfConnection(causeOf(error, this.#goawayCode), this.#address, true));
  }

  /** A call begins. */
  enter(): void {
    this.#calls += 1;
    if (this.#calls === 1) {
      this.#session.ref();
      this.#bytesSeen = this.bytesRead;
      this.#keepalive = setInterval(() => this.#checkAlive(), KEEPALIVE_MS).unref();
    }
  }

  /** A call is over. */
  leave(): void {
    this.#calls -= 1;
    if (this.#calls === 0) {
      clearInterval(this.#keepalive);
      if (this.isOpen) {
        this.#session.unref();
      } else {
        this.destroy();
      }
    }
  }

  /** Nothing came for as long as a call can wait: others begin on a new connection. Those that run have a ping. */
  retire(): void {
    this.#isRetired = true;
  }

  /** Ends all calls. */
  destroy(): void {
    clearInterval(this.#keepalive);
    this.#session.destroy();
    this.#socket.destroy();
  }

  #checkAlive(): void {
    const bytes = this.bytesRead;
    if (bytes !== this.#bytesSeen) {
      this.#bytesSeen = bytes;
      return;
    }
    const giveUp = after(KEEPALIVE_MS, () => {
      if (this.bytesRead === bytes) {
        this.#error ??= new Error(`no answer to a ping in ${KEEPALIVE_MS / 1000} s`);
        this.destroy();
      }
    });
    // A session that is closed takes no ping.
    const isSent = !this.#session.destroyed && this.#session.ping(giveUp);
    if (!isSent) {
      giveUp();
    }
  }
}

/** Why a connection ended with this error. The code of the server's GOAWAY says more if it wants TLS. */
function causeOf(error: unknown, goawayCode: number): unknown {
  return goawayCode === constants.NGHTTP2_INADEQUATE_SECURITY
    ? Object.assign(new Error("the server wants TLS"), { code: "INADEQUATE_SECURITY" })
    : error;
}

/** Makes a connection, in five seconds at most, unless the signal is aborted before. */
export async function connect(address: Address, tls: TlsOptions | undefined, signal: AbortSignal): Promise<Connection> {
  const socket = openSocket(address, tls);
  let session: ClientHttp2Session | undefined;
  let goawayCode = 0;
  try {
    return await new Promise<Connection>((resolve, reject) => {
      const callOff = after(CONNECT_MS, () => fail(new Error(`no connection in ${CONNECT_MS / 1000} s`)));
      function fail(error: Error): void {
        callOff();
        signal.removeEventListener("abort", abort);
        reject(error);
      }
      function abort(): void {
        fail(new Error("the client was closed"));
      }
      signal.addEventListener("abort", abort, { once: true });
      socket.once("error", fail);
      socket.once("close", () => fail(new Error("the connection was closed before it was ready")));
      socket.once(address.isSecure ? "secureConnect" : "connect", () => {
        if (address.isSecure && "alpnProtocol" in socket && socket.alpnProtocol !== "h2") {
          fail(Object.assign(new Error("it does not speak HTTP/2"), { code: "ERR_TLS_ALPN" }));
          return;
        }
        const made = connectHttp2(urlOf(address), {
          createConnection: () => socket,
          settings: SETTINGS,
          maxSessionMemory: SESSION_MEMORY,
        });
        session = made;
        made.once("goaway", (code) => {
          goawayCode = code;
        });
        made.once("error", fail);
        made.once("close", () => fail(new Error("the connection was closed before it was ready")));
        // The first that a server of HTTP/2 sends. What does not speak it shows itself here, and not in the first call.
        made.once("remoteSettings", () => {
          callOff();
          signal.removeEventListener("abort", abort);
          made.removeListener("error", fail);
          made.removeAllListeners("close");
          socket.removeListener("error", fail);
          made.setLocalWindowSize(CONNECTION_WINDOW_BYTES);
          resolve(new Connection(made, socket, address));
        });
      });
    });
  } catch (error) {
    session?.on("error", () => {});
    socket.on("error", () => {});
    session?.destroy();
    socket.destroy();
    throw new CallFailed(failureOfConnection(causeOf(error, goawayCode), address, false));
  }
}

function openSocket({ host, port, isSecure }: Address, tls: TlsOptions | undefined): Socket {
  if (!isSecure) {
    return connectTcp({ host, port, noDelay: true });
  }
  const { ca, cert, key } = tls ?? {};
  const given = {
    ...(ca === undefined ? {} : { ca: pems(ca) }),
    ...(cert === undefined ? {} : { cert: Buffer.from(cert) }),
    ...(key === undefined ? {} : { key: Buffer.from(key) }),
  };
  // The name of a server is sent if it is one: an address must not be.
  const name = isIP(host) === 0 ? { servername: host } : {};
  return connectTls({ host, port, ALPNProtocols: ["h2"], ...name, ...given }).setNoDelay(true);
}

function pems(ca: NonNullable<TlsOptions["ca"]>): Buffer[] {
  const list = typeof ca === "string" || ca instanceof Uint8Array ? [ca] : ca;
  return list.map((pem) => Buffer.from(pem as Uint8Array));
}
