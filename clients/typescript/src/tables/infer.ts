// The Arrow type of values of JavaScript, by these rules:
//
// | values, and null anywhere                     | type                                              |
// |-----------------------------------------------|---------------------------------------------------|
// | numbers that are all safe integers            | Int64                                             |
// | other numbers                                 | Float64                                           |
// | bigint                                        | Int64, or Uint64 if one is too large for that     |
// | strings                                       | Utf8                                              |
// | booleans                                      | Bool                                              |
// | Date                                          | Timestamp, in ms; with PreciseDate in µs or ns    |
// | Uint8Array                                    | Binary                                            |
// | arrays                                        | List                                              |
// | plain objects                                 | Struct of all keys; a missing one is null         |
// | Map                                           | Map                                               |
// | nothing but null                              | Null                                              |
//
// Values of different kinds in one column are refused.

import * as arrow from "apache-arrow";
import { invalidInput } from "../failure.js";
import { describedObject, isPlain } from "../objects.js";
import { epochNsOf, NS_PER_MS } from "../preciseDate.js";
import { shown } from "../texts.js";
import { unitOf } from "./units.js";

/** What the values of a column have shown until now. */
type Shape =
  | { kind: "number"; isInteger: boolean }
  | { kind: "bigint"; least: bigint; most: bigint }
  | { kind: "string" }
  | { kind: "boolean" }
  | { kind: "Date"; unitNs: bigint }
  | { kind: "Uint8Array" }
  | { kind: "array"; items: Shapes }
  | { kind: "object"; fields: Map<string, Shapes> }
  | { kind: "Map"; keys: Shapes; values: Shapes };

// Bounds of 64 bits.
const LEAST_INT64 = -(2n ** 63n);
const MOST_INT64 = 2n ** 63n - 1n;
const MOST_UINT64 = 2n ** 64n - 1n;

const NS_PER_US = 1_000n;

/** The type of a column, or of values in one. */
class Shapes {
  // What the values are of, for messages.
  readonly #what: "column" | "parameter";
  readonly #path: string;
  #shape: Shape | undefined;

  constructor(what: "column" | "parameter", path: string) {
    this.#what = what;
    this.#path = path;
  }

  /** Takes one more value. `row` is where it is, for messages. */
  add(value: unknown, row: number): void {
    if (value === null || value === undefined) {
      return;
    }
    const kind = kindOf(value);
    if (kind === undefined) {
      throw this.#refused(row, `has ${described(value)}, for which there is no type`);
    }
    if (this.#shape !== undefined && this.#shape.kind !== kind) {
      const hint =
        [kind, this.#shape.kind].sort().join() === "bigint,number" ? ": make them all bigint, or all numbers" : "";
      throw this.#refused(
        row,
        `has ${withArticle(kind)} after values that are ${withArticle(this.#shape.kind)}${hint}`,
      );
    }
    this.#shape ??= this.#first(kind);
    this.#widen(this.#shape, value, row);
  }

  /** The type of all values until now. */
  type(): arrow.DataType {
    const shape = this.#shape;
    switch (shape?.kind) {
      case undefined:
        return new arrow.Null();
      case "number":
        return shape.isInteger ? new arrow.Int64() : new arrow.Float64();
      case "bigint":
        return this.#bigintType(shape.least, shape.most);
      case "string":
        return new arrow.Utf8();
      case "boolean":
        return new arrow.Bool();
      case "Date":
        return new arrow.Timestamp(unitOf(shape.unitNs));
      case "Uint8Array":
        return new arrow.Binary();
      case "array":
        return new arrow.List(new arrow.Field("item", shape.items.type(), true));
      case "object":
        return new arrow.Struct([...shape.fields].map(([name, field]) => new arrow.Field(name, field.type(), true)));
      case "Map": {
        const fields = [
          new arrow.Field("key", shape.keys.type(), false),
          new arrow.Field("value", shape.values.type(), true),
        ];
        return new arrow.Map_(new arrow.Field("entries", new arrow.Struct(fields), false) as never);
      }
    }
  }

  #first(kind: Shape["kind"]): Shape {
    switch (kind) {
      case "number":
        return { kind, isInteger: true };
      case "bigint":
        return { kind, least: 0n, most: 0n };
      case "Date":
        return { kind, unitNs: NS_PER_MS };
      case "array":
        return { kind, items: new Shapes(this.#what, `${this.#path}[]`) };
      case "object":
        return { kind, fields: new Map() };
      case "Map":
        return {
          kind,
          keys: new Shapes(this.#what, `${this.#path}.key`),
          values: new Shapes(this.#what, `${this.#path}.value`),
        };
      default:
        return { kind };
    }
  }

  #widen(shape: Shape, value: unknown, row: number): void {
    switch (shape.kind) {
      case "number":
        // The zero below zero is no integer: as one it would lose its sign.
        shape.isInteger &&= Number.isSafeInteger(value) && !Object.is(value, -0);
        break;
      case "bigint":
        this.#widenBigint(shape, value as bigint, row);
        break;
      case "string":
        if (!(value as string).isWellFormed()) {
          throw this.#refused(row, `has ${shown(value)}, which has half of a character`);
        }
        break;
      case "Date":
        shape.unitNs = this.#widenedUnit(shape.unitNs, value as Date, row);
        break;
      case "array":
        for (const item of value as unknown[]) {
          shape.items.add(item, row);
        }
        break;
      case "object":
        this.#widenObject(shape.fields, value as Record<string, unknown>, row);
        break;
      case "Map":
        for (const [key, item] of value as Map<unknown, unknown>) {
          if (key === null || key === undefined) {
            throw this.#refused(row, "has a Map with null as a key");
          }
          shape.keys.add(key, row);
          shape.values.add(item, row);
        }
        break;
      default:
    }
  }

  #widenBigint(shape: { least: bigint; most: bigint }, value: bigint, row: number): void {
    shape.least = value < shape.least ? value : shape.least;
    shape.most = value > shape.most ? value : shape.most;
    if (value < LEAST_INT64 || value > MOST_UINT64) {
      throw this.#refused(row, `has ${value}, which does not fit into 64 bits`);
    }
  }

  #bigintType(least: bigint, most: bigint): arrow.DataType {
    if (most <= MOST_INT64) {
      return new arrow.Int64();
    }
    if (least < 0n) {
      throw invalidInput(`${this.#what} "${this.#path}" has both ${least} and ${most}: no type of 64 bits holds them`);
    }
    return new arrow.Uint64();
  }

  #widenedUnit(unitNs: bigint, date: Date, row: number): bigint {
    if (Number.isNaN(date.getTime())) {
      throw this.#refused(row, "has a Date that is invalid");
    }
    const ns = epochNsOf(date);
    const own = ns % NS_PER_MS === 0n ? NS_PER_MS : ns % NS_PER_US === 0n ? NS_PER_US : 1n;
    const finest = own < unitNs ? own : unitNs;
    const ticks = ns / finest;
    if (ticks < LEAST_INT64 || ticks > MOST_INT64) {
      throw this.#refused(row, `has ${date.toISOString()}, which does not fit into 64 bits of nanoseconds`);
    }
    return finest;
  }

  #widenObject(fields: Map<string, Shapes>, value: Record<string, unknown>, row: number): void {
    const names = Object.keys(value);
    if (names.length === 0 && fields.size === 0) {
      throw this.#refused(row, "has an object without keys, for which there is no type");
    }
    for (const name of names) {
      let field = fields.get(name);
      if (field === undefined) {
        field = new Shapes(this.#what, `${this.#path}.${name}`);
        fields.set(name, field);
      }
      field.add(value[name], row);
    }
  }

  #refused(row: number, what: string): Error {
    const where = this.#what === "column" ? `, row ${row}: it` : "";
    return invalidInput(`${this.#what} "${this.#path}"${where} ${what}`);
  }
}

/** The type of the values of a column, or of a parameter. */
export function inferredType(what: "column" | "parameter", name: string, values: readonly unknown[]): arrow.DataType {
  const shapes = new Shapes(what, name);
  // Not `forEach`, which passes over holes: they are null as well.
  for (let row = 0; row < values.length; row += 1) {
    shapes.add(values[row], row);
  }
  return shapes.type();
}

function kindOf(value: unknown): Shape["kind"] | undefined {
  const kind = typeof value;
  if (kind !== "object") {
    return kind === "number" || kind === "bigint" || kind === "string" || kind === "boolean" ? kind : undefined;
  }
  if (Array.isArray(value)) {
    return "array";
  }
  if (value instanceof Date) {
    return "Date";
  }
  if (value instanceof Uint8Array) {
    return "Uint8Array";
  }
  if (value instanceof Map) {
    return "Map";
  }
  return isPlain(value as object) ? "object" : undefined;
}

function described(value: unknown): string {
  return typeof value === "object" && value !== null ? describedObject(value) : `a ${typeof value}`;
}

function withArticle(kind: Shape["kind"]): string {
  return `${/^[aeiouAEIOU]/.test(kind) ? "an" : "a"} ${kind}`;
}
