// The values of a query's parameters: sent apart from its text, with their types, and never read as SQL.

import { invalidInput } from "./failure.js";
import { isPlain } from "./objects.js";
import { columnOfValues } from "./tables/build.js";
import { inferredType } from "./tables/infer.js";
import { batchMessage, END, schemaMessage } from "./tables/message.js";
import type { OutgoingData, OutgoingType } from "./tables/outgoing.js";
import { isAnyVector, ownSchema } from "./tables/outgoing.js";

/**
 * The values of a query's parameters, by position or by name. Their types are inferred as those of columns are; a
 * column of Arrow with one value is for types that JavaScript lacks.
 */
export type Parameters = readonly unknown[] | Readonly<Record<string, unknown>>;

/** The values as they are sent: an Arrow IPC stream of one row, or nothing. */
export function encodedParameters(parameters: unknown): Uint8Array {
  const values = named(parameters);
  if (values.length === 0) {
    return new Uint8Array();
  }
  const columns = values.map(([name, value]) => columnOf(name, value));
  const schema = ownSchema(columns.map(({ name, type }) => ({ name, type, nullable: true })));
  const row = columns.map(({ data }, index) => ({
    type: schema.fields[index]?.type as never,
    parts: [{ data, begin: 0, length: 1 }],
  }));
  return new Uint8Array(Buffer.concat([...schemaMessage(schema), ...batchMessage(1, row), END]));
}

function named(parameters: unknown): readonly (readonly [string, unknown])[] {
  if (parameters === undefined || parameters === null) {
    return [];
  }
  if (Array.isArray(parameters)) {
    return parameters.map((value: unknown, index) => [String(index + 1), value]);
  }
  if (typeof parameters === "object" && isPlain(parameters)) {
    return Object.entries(parameters);
  }
  throw invalidInput(`${String(parameters)} are no parameters: give a list for ? and $1, or an object for $name`);
}

function columnOf(name: string, value: unknown): { name: string; type: OutgoingType; data: OutgoingData } {
  if (isAnyVector(value)) {
    const [data] = value.data;
    if (data === undefined || value.data.length !== 1 || data.length !== 1) {
      throw invalidInput(`parameter "${name}" is a column: give one with a single value`);
    }
    if (data.dictionary !== undefined && data.dictionary !== null) {
      throw invalidInput(`parameter "${name}" is in a dictionary: give the value itself`);
    }
    return { name, type: value.type, data };
  }
  const type = inferredType("parameter", name, [value]);
  return {
    name,
    type: type as unknown as OutgoingType,
    data: columnOfValues(type, [value]) as unknown as OutgoingData,
  };
}
