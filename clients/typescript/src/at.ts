// Which version of a dataset is meant.

import type { MessageInitShape } from "@bufbuild/protobuf";
import { invalidInput } from "./failure.js";
import type { AtSchema } from "./generated/polarway/v1/table_pb.js";
import { epochNsOf, floorDivided } from "./preciseDate.js";

/** Which version of a dataset is meant: the newest one, if nothing is given. */
export interface AtOptions {
  /** The number of a version. */
  readonly version?: number | undefined;
  /** In place of a number, the time at which the version was the newest. */
  readonly asOf?: Date | undefined;
}

/** The names of these options. */
export const AT_OPTIONS = ["version", "asOf"];

/** What requests have for a version. */
export type At = MessageInitShape<typeof AtSchema>;

/** The version that the options mean; `undefined` is the newest. */
export function atOf({ version, asOf }: AtOptions): At | undefined {
  if (version !== undefined && asOf !== undefined) {
    throw invalidInput("a version and a time are given: leave one out");
  }
  if (asOf !== undefined) {
    if (!(asOf instanceof Date) || Number.isNaN(asOf.getTime())) {
      throw invalidInput(`${String(asOf)} is no time: give a valid Date`);
    }
    return { at: { case: "asOfUs", value: floorDivided(epochNsOf(asOf), 1_000n) } };
  }
  return version === undefined ? undefined : { at: { case: "version", value: versionNumber(version) } };
}

/** What a request has for the version that a dataset must have before a write: nothing, if any will do. */
export function expectedOf(expectedVersion: unknown): { expectedVersion?: bigint } {
  return expectedVersion === undefined ? {} : { expectedVersion: versionNumber(expectedVersion) };
}

/** The number of a version. */
function versionNumber(version: unknown): bigint {
  if (!(Number.isSafeInteger(version) && (version as number) >= 0)) {
    throw invalidInput(`${String(version)} is no number of a version`);
  }
  return BigInt(version as number);
}
