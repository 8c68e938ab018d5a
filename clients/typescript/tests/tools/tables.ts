// The tables of the scenarios, made of what `proto/cases/README.md` describes.

import * as arrow from "apache-arrow";
import { PolarwayTable } from "../../src/index.js";
import { decimalAt } from "../../src/tables/decimals.js";
import { batchOf, schemaWith } from "../../src/tables/decode.js";
import { encoded } from "../../src/tables/encode.js";
import { outgoing } from "../../src/tables/source.js";

/** A type, as the scenarios name it. */
export type TypeSpec = string | Readonly<Record<string, unknown>>;

/** A column of a scenario's table. */
export interface ColumnSpec {
  readonly name: string;
  readonly type: TypeSpec;
  readonly values: readonly unknown[];
  readonly nullable?: boolean;
}

/** A table of a scenario. */
export interface TableSpec {
  readonly columns?: readonly ColumnSpec[];
  readonly generated?: { readonly rows: number; readonly columns: number };
}

/** The columns of the table that is described. */
export function columnsOf(spec: TableSpec): readonly ColumnSpec[] {
  const { columns, generated } = spec;
  if (columns !== undefined) {
    return columns;
  }
  if (generated === undefined) {
    throw new Error(`${JSON.stringify(spec)} describes no table`);
  }
  return Array.from({ length: generated.columns }, (_, column) => ({
    name: `c${column}`,
    type: "int64",
    nullable: false,
    values: Array.from({ length: generated.rows }, (_, row) => (row * 2_654_435_761 + column * 40_503) % 4_294_967_296),
  }));
}

/** The table that is described. */
export function built(spec: TableSpec): PolarwayTable {
  const columns = columnsOf(spec);
  const data = columns.map(({ type, values }) => dataOf(typeOf(type), values));
  const fields = columns.map(
    ({ name, nullable }, index) => new arrow.Field(name, data[index]?.type as arrow.DataType, nullable ?? true),
  );
  const schema = schemaWith(fields, new Map());
  return new PolarwayTable(schema, [batchOf(schema, columns[0]?.values.length ?? 0, data)]);
}

const TIME_UNITS: Record<string, arrow.TimeUnit> = {
  s: arrow.TimeUnit.SECOND,
  ms: arrow.TimeUnit.MILLISECOND,
  us: arrow.TimeUnit.MICROSECOND,
  ns: arrow.TimeUnit.NANOSECOND,
};

let nextDictionary = 1_000;

/** The type of this name or description. */
export function typeOf(spec: TypeSpec): arrow.DataType {
  if (typeof spec === "string") {
    return plainType(spec);
  }
  const [[kind, of] = ["", undefined]] = Object.entries(spec);
  const details = of as Record<string, TypeSpec>;
  switch (kind) {
    case "list":
      return new arrow.List(itemField(of as TypeSpec));
    case "large_list":
      return new arrow.LargeList(itemField(of as TypeSpec));
    case "fixed_size_list":
      return new arrow.FixedSizeList(details["size"] as unknown as number, itemField(details["items"] as TypeSpec));
    case "struct":
      return new arrow.Struct(
        (of as { name: string; type: TypeSpec }[]).map(({ name, type }) => new arrow.Field(name, typeOf(type), true)),
      );
    case "map": {
      const fields = [
        new arrow.Field("key", typeOf(details["keys"] as TypeSpec), false),
        new arrow.Field("value", typeOf(details["values"] as TypeSpec), true),
      ];
      return new arrow.Map_(new arrow.Field("entries", new arrow.Struct(fields), false) as never, false);
    }
    case "dictionary":
      return new arrow.Dictionary(
        typeOf(details["values"] as TypeSpec),
        typeOf(details["keys"] as TypeSpec) as never,
        nextDictionary++,
        false,
      );
    default:
      throw new Error(`${JSON.stringify(spec)} is no type`);
  }
}

function itemField(spec: TypeSpec): arrow.Field {
  return new arrow.Field("item", typeOf(spec), true);
}

const NAMED_TYPES: Readonly<Record<string, () => arrow.DataType>> = {
  utf8: () => new arrow.Utf8(),
  large_utf8: () => new arrow.LargeUtf8(),
  utf8_view: () => new arrow.Utf8View(),
};

function plainType(name: string): arrow.DataType {
  const named = NAMED_TYPES[name];
  if (named !== undefined) {
    return named();
  }
  const match = /^([a-z_]+?)(\d*)(?:[([](.*)[)\]])?$/.exec(name);
  const [, kind = "", size = "", detail = ""] = match ?? [];
  const details = detail.split(",").map((text) => text.trim());
  const bits = Number(size);
  switch (kind) {
    case "bool":
      return new arrow.Bool();
    case "int":
    case "uint":
      return new arrow.Int(kind === "int", bits as 8);
    case "float":
      return new arrow.Float(
        { 16: arrow.Precision.HALF, 32: arrow.Precision.SINGLE, 64: arrow.Precision.DOUBLE }[bits] as arrow.Precision,
      );
    case "decimal":
      return new arrow.Decimal(Number(details[1]), Number(details[0]), bits);
    case "binary":
      return new arrow.Binary();
    case "large_binary":
      return new arrow.LargeBinary();
    case "binary_view":
      return new arrow.BinaryView();
    case "fixed_size_binary":
      return new arrow.FixedSizeBinary(Number(detail));
    case "date":
      return new arrow.Date_(bits === 32 ? arrow.DateUnit.DAY : arrow.DateUnit.MILLISECOND);
    case "time":
      return new arrow.Time(TIME_UNITS[detail] as arrow.TimeUnit, bits as 32);
    case "timestamp":
      return new arrow.Timestamp(TIME_UNITS[details[0] ?? ""] as arrow.TimeUnit, details[1] ?? null);
    case "duration":
      return new arrow.Duration(TIME_UNITS[detail] as arrow.TimeUnit);
    case "null":
      return new arrow.Null();
    default:
      throw new Error(`"${name}" is no type`);
  }
}

/** A column of these values, which are as the scenarios write them. */
export function dataOf(type: arrow.DataType, values: readonly unknown[]): arrow.Data {
  const nullBitmap = new Uint8Array(Math.ceil(values.length / 8));
  values.forEach((value, index) => {
    if (value !== null && value !== undefined) {
      nullBitmap[index >> 3] = (nullBitmap[index >> 3] ?? 0) | (1 << (index & 7));
    }
  });
  const nullCount = values.filter((value) => value === null || value === undefined).length;
  const common = { type, length: values.length, nullCount, nullBitmap };
  if (arrow.DataType.isNull(type)) {
    return arrow.makeData({ type, length: values.length });
  }
  if (arrow.DataType.isDictionary(type)) {
    const distinct: unknown[] = [...new Set(values.filter((value) => value !== null && value !== undefined))];
    const indices = values.map((value) => (value === null || value === undefined ? null : distinct.indexOf(value)));
    const dictionary = new arrow.Vector([dataOf(type.dictionary, distinct)]);
    return arrow.makeData({ ...common, data: dataOf(type.indices, indices).values, dictionary } as never);
  }
  if (arrow.DataType.isBool(type)) {
    const bits = new Uint8Array(nullBitmap.length);
    values.forEach((value, index) => {
      bits[index >> 3] = (bits[index >> 3] ?? 0) | (value === true ? 1 << (index & 7) : 0);
    });
    return arrow.makeData({ ...common, data: bits } as never);
  }
  if (arrow.DataType.isUtf8View(type) || arrow.DataType.isBinaryView(type)) {
    return viewsOf(
      common,
      values.map((value) => bytesOf(type, value)),
    );
  }
  if (
    arrow.DataType.isUtf8(type) ||
    arrow.DataType.isLargeUtf8(type) ||
    arrow.DataType.isBinary(type) ||
    arrow.DataType.isLargeBinary(type)
  ) {
    const bytes = values.map((value) => bytesOf(type, value));
    return arrow.makeData({ ...common, ...offsetsOf(type, bytes), data: Buffer.concat(bytes) } as never);
  }
  if (arrow.DataType.isList(type) || arrow.DataType.isLargeList(type) || arrow.DataType.isMap(type)) {
    const lists = values.map((value) => (value ?? []) as unknown[]);
    const item = type.children[0]?.type as arrow.DataType;
    const items = lists
      .flat()
      .map((one) => (arrow.DataType.isMap(type) ? { key: (one as unknown[])[0], value: (one as unknown[])[1] } : one));
    return arrow.makeData({ ...common, ...offsetsOf(type, lists), child: dataOf(item, items) } as never);
  }
  if (arrow.DataType.isFixedSizeList(type)) {
    const items = values.flatMap((value) => (value ?? Array.from({ length: type.listSize }, () => null)) as unknown[]);
    return arrow.makeData({ ...common, child: dataOf(type.valueType, items) } as never);
  }
  if (arrow.DataType.isStruct(type)) {
    const children = type.children.map((field) =>
      dataOf(
        field.type,
        values.map((value) => (value as Record<string, unknown> | null)?.[field.name] ?? null),
      ),
    );
    return arrow.makeData({ ...common, children } as never);
  }
  if (arrow.DataType.isFixedSizeBinary(type)) {
    const bytes = values.map((value) => (value === null ? Buffer.alloc(type.byteWidth) : bytesOf(type, value)));
    return arrow.makeData({ ...common, data: Buffer.concat(bytes) } as never);
  }
  if (arrow.DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    const data = new Uint32Array(values.length * words);
    values.forEach((value, index) => {
      let rest = value === null ? 0n : BigInt.asUintN(type.bitWidth, unscaled(String(value), type.scale));
      for (let word = 0; word < words; word += 1) {
        data[index * words + word] = Number(rest & 0xffff_ffffn);
        rest >>= 32n;
      }
    });
    return arrow.makeData({ ...common, data } as never);
  }
  const kind = type.ArrayType as { new (length: number): Float64Array };
  const data = new kind(values.length) as unknown as (number | bigint)[];
  values.forEach((value, index) => {
    const number = value === null || value === undefined ? 0 : numberOf(type, value);
    data[index] =
      (data as unknown) instanceof BigInt64Array || (data as unknown) instanceof BigUint64Array
        ? BigInt(number)
        : Number(number);
  });
  return arrow.makeData({ ...common, data } as never);
}

function viewsOf(common: object, values: readonly Buffer[]): arrow.Data {
  const views = Buffer.alloc(values.length * 16);
  const long: Buffer[] = [];
  let end = 0;
  values.forEach((value, index) => {
    views.writeInt32LE(value.length, index * 16);
    if (value.length <= 12) {
      value.copy(views, index * 16 + 4);
    } else {
      value.copy(views, index * 16 + 4, 0, 4);
      views.writeInt32LE(end, index * 16 + 12);
      long.push(value);
      end += value.length;
    }
  });
  const own = new Uint8Array(views);
  return arrow.makeData({
    ...common,
    views: own,
    variadicBuffers: long.length > 0 ? [new Uint8Array(Buffer.concat(long))] : [],
  } as never);
}

function bytesOf(type: arrow.DataType, value: unknown): Buffer {
  const isText = arrow.DataType.isUtf8(type) || arrow.DataType.isLargeUtf8(type) || arrow.DataType.isUtf8View(type);
  return Buffer.from((value as string | null) ?? "", isText ? "utf8" : "hex");
}

function offsetsOf(
  type: arrow.DataType,
  values: readonly { readonly length: number }[],
): { valueOffsets: Int32Array | BigInt64Array } {
  const ends = [0];
  for (const { length } of values) {
    ends.push((ends.at(-1) ?? 0) + length);
  }
  const isLarge = [arrow.Type.LargeUtf8, arrow.Type.LargeBinary, arrow.Type.LargeList].includes(type.typeId);
  return { valueOffsets: isLarge ? BigInt64Array.from(ends.map(BigInt)) : Int32Array.from(ends) };
}

function unscaled(text: string, scale: number): bigint {
  const [whole = "", after = ""] = text.split(".");
  return BigInt(whole + after.padEnd(scale, "0"));
}

const UNIT_NS = [1_000_000_000n, 1_000_000n, 1_000n, 1n];

/** A number of a column, in the unit of its type. */
function numberOf(type: arrow.DataType, value: unknown): number | bigint {
  if (arrow.DataType.isFloat(type)) {
    return (
      { NaN: Number.NaN, inf: Number.POSITIVE_INFINITY, "-inf": Number.NEGATIVE_INFINITY, "-0.0": -0 }[String(value)] ??
      Number(value)
    );
  }
  if (arrow.DataType.isDate(type)) {
    const ms = Date.parse(`${String(value)}T00:00:00Z`);
    return type.unit === arrow.DateUnit.DAY ? ms / 86_400_000 : ms;
  }
  if (arrow.DataType.isTime(type)) {
    const [hours = 0, minutes = 0, seconds = 0] = String(value).split(".")[0]?.split(":").map(Number) ?? [];
    const fraction = String(value).split(".")[1] ?? "";
    const ns = BigInt(hours * 3600 + minutes * 60 + seconds) * 1_000_000_000n + BigInt(fraction.padEnd(9, "0"));
    return ns / (UNIT_NS[type.unit] ?? 1n);
  }
  if (arrow.DataType.isTimestamp(type)) {
    return nsOf(String(value)) / (UNIT_NS[type.unit] ?? 1n);
  }
  return BigInt(value as number | string);
}

/** The nanoseconds since 1970 of a moment with any number of digits. */
export function nsOf(text: string): bigint {
  const [seconds = "", fraction = ""] = text.replace("Z", "").split(".");
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction.padEnd(9, "0"));
}

/** The pieces of the Arrow IPC stream as which a table is sent. */
export async function piecesOf(source: unknown): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const { ipc } of encoded(await outgoing(source))) {
    pieces.push(...ipc);
  }
  return pieces;
}

/** The values of a column as text, to be compared: without regard to batches. */
export function textsOf(table: arrow.Table, column: number): string[] {
  const texts: string[] = [];
  for (const batch of table.batches) {
    const data = batch.data.children[column] as arrow.Data;
    if (data.nullCount === 0 && arrow.DataType.isInt(data.type)) {
      for (const value of data.values as Iterable<number | bigint>) {
        texts.push(String(value));
      }
      continue;
    }
    for (let row = 0; row < batch.numRows; row += 1) {
      texts.push(textOf(data, row));
    }
  }
  return texts;
}

/** A value as text, read from its buffers, and not with the code that is tested. */
function textOf(data: arrow.Data, row: number): string {
  const { type, offset } = data;
  if (arrow.DataType.isNull(type)) {
    return "null";
  }
  if (data.nullCount > 0 && ((data.nullBitmap[(offset + row) >> 3] ?? 0) & (1 << ((offset + row) & 7))) === 0) {
    return "null";
  }
  if (arrow.DataType.isDecimal(type)) {
    const words = type.bitWidth / 32;
    return decimalAt(data.values as Uint32Array, words, row, type.scale);
  }
  if (arrow.DataType.isDictionary(type)) {
    return textOf(data.dictionary?.data[0] as arrow.Data, Number(data.values[row]));
  }
  if (arrow.DataType.isStruct(type)) {
    return `{${data.children.map((child, index) => `${type.children[index]?.name}: ${textOf(child, row)}`).join()}}`;
  }
  if (arrow.DataType.isFixedSizeList(type)) {
    return listText(data, row * type.listSize, (row + 1) * type.listSize);
  }
  if (arrow.DataType.isList(type) || arrow.DataType.isLargeList(type) || arrow.DataType.isMap(type)) {
    return listText(data, Number(data.valueOffsets[row]), Number(data.valueOffsets[row + 1]));
  }
  const value: unknown =
    arrow.DataType.isTimestamp(type) || arrow.DataType.isDate(type)
      ? data.values[row]
      : new arrow.Vector([data]).get(row);
  if (value instanceof Uint8Array) {
    return Buffer.from(value).toString("hex");
  }
  return Object.is(value, -0) ? "-0" : String(value);
}

function listText(data: arrow.Data, begin: number, end: number): string {
  const items = Array.from({ length: end - begin }, (_, place) =>
    textOf(data.children[0] as arrow.Data, begin + place),
  );
  return `[${items.join()}]`;
}

/**
 * How a table is not as expected. `handedOver` gives the name of what a type is loaded as. Every column of a query may
 * have nulls.
 */
export function difference(
  expected: arrow.Table,
  found: arrow.Table,
  isQuery: boolean,
  handedOver: (type: string) => string,
): string | undefined {
  const shown = ({ name, type, nullable }: arrow.Field, isExpected: boolean): string =>
    `${name}: ${isExpected ? handedOver(String(type)) : String(type)}${isQuery || nullable ? "" : " not null"}`;
  const [own, others] = [
    expected.schema.fields.map((field) => shown(field, true)),
    found.schema.fields.map((field) => shown(field, false)),
  ];
  if (own.join() !== others.join()) {
    return `${others.join()} and not ${own.join()}`;
  }
  if (expected.numRows !== found.numRows) {
    return `${found.numRows} rows and not ${expected.numRows}`;
  }
  for (const [column, { name }] of expected.schema.fields.entries()) {
    const [own, others] = [textsOf(expected, column), textsOf(found, column)];
    const row = own.findIndex((text, index) => text !== others[index]);
    if (row >= 0) {
      return `column "${name}", row ${row}: ${others[row]} and not ${own[row]}`;
    }
  }
  return undefined;
}
