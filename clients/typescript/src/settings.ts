// What a user says about a client, checked.

import type { Address } from "./address.js";
import { addressesOf, isThisMachine, urlOf } from "./address.js";
import { invalidInput } from "./failure.js";

/** The token if none is given. */
const TOKEN_VARIABLE = "POLARWAY_AUTH_TOKEN";

/** The timeout of a client unless another is given. */
const TIMEOUT_MS = 30_000;

/** The longest timeout: a timer of Node.js can't wait longer. */
const MOST_TIMEOUT_MS = 2 ** 31 - 1;

/** Certificates, each as PEM: its text, not the name of a file. */
export interface TlsOptions {
  /** The CAs that may have signed the servers' certificates, instead of those that Node.js trusts. */
  readonly ca?: string | Uint8Array | readonly (string | Uint8Array)[];
  /** This client's certificate, for servers that require one (mTLS), followed by those of its CAs. */
  readonly cert?: string | Uint8Array;
  /** The key of that certificate. */
  readonly key?: string | Uint8Array;
}

/** Where the servers are, and how they are called. */
export interface ClientOptions {
  /**
   * A host, or a URL such as `https://tables.example:50052`. Several are workers over the same tables: if one does not
   * answer, the next is asked. The default is the environment's `POLARWAY_URL`, or this machine.
   */
  readonly host?: string | readonly string[] | undefined;
  /** The port; 50052 for a host, and that of the web for a URL. */
  readonly port?: number | undefined;
  /**
   * The milliseconds that a call may take, with all its tries; for a stream, how long it may deliver nothing new. The
   * default is 30,000.
   */
  readonly timeout?: number | undefined;
  /** The token that the servers require. The default is the environment's `POLARWAY_AUTH_TOKEN`. */
  readonly authToken?: string | undefined;
  /** Which CAs to trust, and this client's certificate. With it, a host without `http://` or `https://` uses TLS. */
  readonly tls?: TlsOptions | undefined;
}

/** The checked options. */
export interface Settings {
  readonly addresses: readonly Address[];
  readonly timeoutMs: number;
  readonly token: string | undefined;
  readonly tls: TlsOptions | undefined;
}

const OPTIONS = ["host", "port", "timeout", "authToken", "tls"];
const TLS_OPTIONS = ["ca", "cert", "key"];

/** The settings of a client with these options. */
export function settingsOf(options: ClientOptions): Settings {
  checkNames("a client", options, OPTIONS);
  const { timeout = TIMEOUT_MS, tls } = options;
  if (!(typeof timeout === "number" && timeout > 0 && timeout <= MOST_TIMEOUT_MS)) {
    throw invalidInput(`${String(timeout)} is no timeout: give the milliseconds that a call may take`);
  }
  if (tls !== undefined) {
    checkTls(tls);
  }
  const addresses = addressesOf(options.host, options.port, tls !== undefined);
  const token = tokenOf(options.authToken);
  const exposed = addresses.find((address) => !(address.isSecure || isThisMachine(address)));
  if (token !== undefined && exposed !== undefined) {
    process.emitWarning(`the token goes to ${exposed.host} in the clear: use https://`, "PolarwayWarning");
  }
  return { addresses, timeoutMs: timeout, token, tls };
}

/** The servers, as URLs. */
export function urlsOf(settings: Settings): readonly string[] {
  return settings.addresses.map(urlOf);
}

/** Refuses an option whose name is none: it would be passed over. */
export function checkNames(what: string, options: unknown, names: readonly string[]): void {
  if (typeof options !== "object" || options === null) {
    throw invalidInput(`the options of ${what} are an object: ${String(options)} is none`);
  }
  const unknown = Object.keys(options).find((name) => !names.includes(name));
  if (unknown !== undefined) {
    throw invalidInput(`${what} has no option "${unknown}": there are ${names.join(", ")}`);
  }
}

function checkTls(tls: TlsOptions): void {
  checkNames("tls", tls, TLS_OPTIONS);
  if ((tls.cert === undefined) !== (tls.key === undefined)) {
    throw invalidInput("a certificate needs its key, and a key its certificate: give tls.cert and tls.key, or neither");
  }
  for (const [name, given] of Object.entries(tls) as [string, TlsOptions["ca"]][]) {
    for (const pem of Array.isArray(given) ? given : [given]) {
      if (pem !== undefined && !Buffer.from(pem as Uint8Array).includes("-----BEGIN ")) {
        throw invalidInput(`tls.${name} is no PEM: give the text of the file, not its name`);
      }
    }
  }
}

function tokenOf(given: string | undefined): string | undefined {
  const token = given ?? process.env[TOKEN_VARIABLE];
  // The message must not have the token.
  if (token !== undefined && !(typeof token === "string" && /^[ -~]+$/.test(token))) {
    throw invalidInput("the token is empty, or has characters that no HTTP header can hold");
  }
  return token;
}
