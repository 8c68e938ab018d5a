// Arrow's units of time.

import type { TimeUnit } from "apache-arrow";

// By the numbers that Arrow gives the units: s, ms, µs, ns.
const UNIT_NS = [1_000_000_000n, 1_000_000n, 1_000n, 1n];

/** The nanoseconds of a unit. */
export function unitNsOf(unit: TimeUnit): bigint {
  return UNIT_NS[unit] ?? 1n;
}

/** The unit that has so many nanoseconds. */
export function unitOf(unitNs: bigint): TimeUnit {
  return UNIT_NS.indexOf(unitNs);
}
