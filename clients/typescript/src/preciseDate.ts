// Moments that are more precise than the milliseconds of a `Date`.

/** The nanoseconds of a millisecond. */
export const NS_PER_MS = 1_000_000n;

/**
 * A `Date` that also has what is smaller than a millisecond.
 *
 * It is a `Date` for whoever knows no more. `toISOString`, and with it JSON and the console, show all digits.
 */
export class PreciseDate extends Date {
  /** Nanoseconds since 1970-01-01 UTC. */
  readonly epochNs: bigint;

  /** The moment so many nanoseconds after 1970-01-01 UTC. */
  constructor(epochNs: bigint) {
    super(Number(floorDivided(epochNs, NS_PER_MS)));
    this.epochNs = epochNs;
  }

  override toISOString(): string {
    const belowMs = this.epochNs - floorDivided(this.epochNs, NS_PER_MS) * NS_PER_MS;
    const digits = String(belowMs)
      .padStart(6, "0")
      .replace(/0{1,3}$/, "");
    const text = super.toISOString();
    return belowMs === 0n ? text : `${text.slice(0, -1)}${digits}Z`;
  }

  override toJSON(): string {
    return this.toISOString();
  }

  [Symbol.for("nodejs.util.inspect.custom")](): string {
    return Number.isNaN(this.getTime()) ? "Invalid Date" : this.toISOString();
  }
}

/** The nanoseconds since 1970-01-01 UTC of any date. */
export function epochNsOf(date: Date): bigint {
  const precise: unknown = Reflect.get(date, "epochNs");
  return typeof precise === "bigint" ? precise : BigInt(date.getTime()) * NS_PER_MS;
}

/** A quotient, rounded down: that of `bigint` is rounded towards zero. */
export function floorDivided(dividend: bigint, divisor: bigint): bigint {
  const quotient = dividend / divisor;
  return dividend % divisor < 0n ? quotient - 1n : quotient;
}
