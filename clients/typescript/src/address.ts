// Where the servers are: from a host and a port, URLs, or the environment.

import { isIP, isIPv6 } from "node:net";
import { invalidInput } from "./failure.js";

/** The port of a host that is named without one. */
const DEFAULT_PORT = 50052;

/** The servers if none is named: URLs with commas between them. */
const URL_VARIABLE = "POLARWAY_URL";

const DEFAULT_URL = `http://localhost:${DEFAULT_PORT}`;

/** A server's host and port, and whether connections to it use TLS. */
export interface Address {
  readonly host: string;
  readonly port: number;
  readonly isSecure: boolean;
}

/** Host and port, as messages show them. */
export function authority({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** The address as a URL. */
export function urlOf(address: Address): string {
  return `${address.isSecure ? "https" : "http"}://${authority(address)}`;
}

/** Whether a packet to this address stays on this machine. */
export function isThisMachine({ host }: Address): boolean {
  return host.toLowerCase() === "localhost" || host === "::1" || (isIP(host) === 4 && host.startsWith("127."));
}

/**
 * The servers that a user names: a host, a URL, several of either, or nothing, which means those of `POLARWAY_URL`, or
 * this machine. With `isSecure`, a host without `http://` or `https://` uses TLS.
 */
export function addressesOf(
  host: string | readonly string[] | undefined,
  port: number | undefined,
  isSecure: boolean,
): readonly Address[] {
  if (port !== undefined && !(Number.isInteger(port) && port > 0 && port < 65536)) {
    throw invalidInput(`${String(port)} is no port: give a number from 1 to 65535`);
  }
  const named = host ?? (process.env[URL_VARIABLE] ?? DEFAULT_URL).split(",");
  const texts: readonly unknown[] = Array.isArray(named) ? named : [named];
  const found = texts.map((text) => addressOf(text, port, isSecure));
  if (found.length === 0) {
    throw invalidInput(`no server was named: give a host, or a URL such as ${DEFAULT_URL}`);
  }
  if (isSecure && !found.some((address) => address.isSecure)) {
    throw invalidInput("certificates are given, and no URL begins with https://: nothing would be encrypted");
  }
  return found;
}

function addressOf(text: unknown, port: number | undefined, isSecure: boolean): Address {
  if (typeof text !== "string") {
    throw invalidInput(`${String(text)} is no text: give a host, or a URL such as ${DEFAULT_URL}`);
  }
  if (text.includes("://")) {
    return addressOfUrl(text, port);
  }
  const [host, ownPort] = split(text);
  return { host: checkedHost(text, host), port: chosenPort(text, ownPort, port, DEFAULT_PORT), isSecure };
}

function addressOfUrl(text: string, port: number | undefined): Address {
  const match = /^(https?):\/\/([^/?#@]*)\/?$/i.exec(text);
  if (match?.[1] === undefined || match[2] === undefined) {
    const isWeb = /^https?:\/\//i.test(text);
    throw invalid(text, isWeb ? "has more than a host and a port" : "does not start with http:// or https://");
  }
  const isSecure = match[1].toLowerCase() === "https";
  const [host, ownPort] = split(match[2], text);
  return { host: checkedHost(text, host), port: chosenPort(text, ownPort, port, isSecure ? 443 : 80), isSecure };
}

/** A host, and the port after it if there is one. An address of IPv6 is in brackets if there is. */
function split(authorityText: string, whole = authorityText): [string, number | undefined] {
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::([^:]*))?$/.exec(authorityText);
  if (match === null) {
    // More than one colon, and no brackets: only an address of IPv6 is like that.
    return [authorityText, undefined];
  }
  const host = match[1] ?? match[2] ?? "";
  const portText = match[3];
  if (portText === undefined) {
    return [host, undefined];
  }
  const port = /^\d{1,5}$/.test(portText) ? Number(portText) : 0;
  if (!(port > 0 && port < 65536)) {
    throw invalid(whole, "has no port behind the colon");
  }
  return [host, port];
}

function checkedHost(text: string, host: string): string {
  if (host === "") {
    throw invalid(text, "names no host");
  }
  if (host.includes(":") ? !isIPv6(host) : !/^[\p{L}\p{N}._-]+$/u.test(host)) {
    throw invalid(text, "is no host");
  }
  return host;
}

function chosenPort(text: string, own: number | undefined, given: number | undefined, fallback: number): number {
  if (own !== undefined && given !== undefined && own !== given) {
    throw invalidInput(`"${text}" has the port ${own}, and the port ${given} is given as well: leave one out`);
  }
  return own ?? given ?? fallback;
}

function invalid(text: string, what: string): Error {
  return invalidInput(`"${text}" ${what}: give a host, or a URL such as ${DEFAULT_URL}`);
}
