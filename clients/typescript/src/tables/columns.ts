// Columns of a stream: for each type, how a column of it is read from a batch.
//
// Most types are those of the library apache-arrow, and their buffers are used where they lie. What the library would
// read wrongly or not at all is converted: decimals of 4 and 8 bytes become some of 16, those of 32 bytes become text,
// lists of views become lists, and numbers of dictionary values that have 8 bytes become some of 4.

import type { DataType } from "apache-arrow";
import * as arrow from "apache-arrow";
import { Date as DateMetadata } from "apache-arrow/fb/date";
import { Decimal as DecimalMetadata } from "apache-arrow/fb/decimal";
import { Duration as DurationMetadata } from "apache-arrow/fb/duration";
import type { Field as FieldMetadata } from "apache-arrow/fb/field";
import { FixedSizeBinary as FixedSizeBinaryMetadata } from "apache-arrow/fb/fixed-size-binary";
import { FixedSizeList as FixedSizeListMetadata } from "apache-arrow/fb/fixed-size-list";
import { FloatingPoint as FloatMetadata } from "apache-arrow/fb/floating-point";
import { Int as IntMetadata } from "apache-arrow/fb/int";
import { Interval as IntervalMetadata } from "apache-arrow/fb/interval";
import { Map as MapMetadata } from "apache-arrow/fb/map";
import { Time as TimeMetadata } from "apache-arrow/fb/time";
import { Timestamp as TimestampMetadata } from "apache-arrow/fb/timestamp";
import { Type } from "apache-arrow/fb/type";
import { Union as UnionMetadata } from "apache-arrow/fb/union";
import type { IntBitWidth, TimeBitWidth, TKeys } from "apache-arrow/type";
import { strideForType } from "apache-arrow/type";
import type { PolarwayError } from "../errors.js";
import { invalidInput } from "../failure.js";
import type { ArrayKind, Body, Node } from "./body.js";
import { decimalAt, widened } from "./decimals.js";
import { VIEW_BYTES } from "./parts.js";
import { notArrow } from "./wire.js";

/** How a column is read. */
export interface Column extends Omit<Kind, "type"> {
  readonly field: arrow.Field;
}

/** How the values of a dictionary are read. */
export interface DictionaryColumn {
  readonly id: bigint;
  readonly read: (body: Body) => arrow.Data;
}

/** A type, and how a column of it is read. */
interface Kind {
  readonly type: DataType;
  readonly read: (body: Body) => arrow.Data;
  /** How the values of its dictionary are read, if it has one. */
  readonly dictionaries: readonly DictionaryColumn[];
}

/** How many fields, and texts that belong to them, a schema may have: one that is damaged may claim any number. */
export class Budget {
  #left = 1 << 17;

  /** Takes so many. */
  take(count: number): void {
    this.#left -= count;
    if (!(count >= 0 && this.#left >= 0)) {
      throw notArrow("its schema has too many fields");
    }
  }
}

/** How the column of this field is read. `path` is its name, with those of the columns that it is in before it. */
export function columnOf(metadata: FieldMetadata, budget: Budget, path = metadata.name() ?? ""): Column {
  const { type, read, dictionaries } = kindOf(metadata, { path, budget });
  const field = new arrow.Field(metadata.name() ?? "", type, metadata.nullable(), customMetadata(metadata, budget));
  return { field, read, dictionaries };
}

/** Where a field is. */
interface Place {
  readonly path: string;
  readonly budget: Budget;
}

/** The texts that belong to a field or to a schema. */
export function customMetadata(
  metadata: Pick<FieldMetadata, "customMetadataLength" | "customMetadata">,
  budget: Budget,
): Map<string, string> {
  budget.take(metadata.customMetadataLength());
  const texts = new Map<string, string>();
  for (let index = 0; index < metadata.customMetadataLength(); index += 1) {
    const entry = metadata.customMetadata(index);
    texts.set(entry?.key() ?? "", entry?.value() ?? "");
  }
  return texts;
}

function kindOf(metadata: FieldMetadata, place: Place): Kind {
  const encoding = metadata.dictionary();
  if (encoding === null) {
    return plainKindOf(metadata, place);
  }
  const values = plainKindOf(metadata, place);
  const id = encoding.id();
  const index = encoding.indexType();
  const indices = index === null ? new arrow.Int32() : new arrow.Int(index.isSigned(), index.bitWidth() as IntBitWidth);
  const isWide = indices.bitWidth === 64;
  const handedOver = (isWide ? new arrow.Int32() : indices) as TKeys;
  const type = new arrow.Dictionary(values.type, handedOver, Number(id), encoding.isOrdered());
  function read(body: Body): arrow.Data {
    const node = body.node();
    const validity = body.validity(node);
    const numbers = body.array(indices.ArrayType as ArrayKind<Int32Array | BigInt64Array>, node.length);
    const dictionary = body.dictionaries.get(id);
    if (dictionary === undefined) {
      throw notArrow(`the dictionary of column "${place.path}" did not come before its rows`);
    }
    const narrow =
      numbers instanceof BigInt64Array || numbers instanceof BigUint64Array
        ? Int32Array.from(numbers, Number)
        : numbers;
    return data(type, node, { values: narrow, validity, dictionary });
  }
  return { type, read, dictionaries: [...values.dictionaries, { id, read: values.read }] };
}

function plainKindOf(metadata: FieldMetadata, place: Place): Kind {
  const found = kindsByType[metadata.typeType()]?.(metadata, place);
  if (found === undefined) {
    throw unread(place.path, Type[metadata.typeType()] ?? String(metadata.typeType()));
  }
  return found;
}

type MakeKind = (metadata: FieldMetadata, place: Place) => Kind;

const kindsByType: Partial<Record<Type, MakeKind>> = {
  [Type.Null]: () => leaf(new arrow.Null(), (_, node) => ({ node: { ...node, nullCount: node.length } })),
  [Type.Bool]: () =>
    leaf(new arrow.Bool(), (body, node) => {
      const validity = body.validity(node);
      return { values: body.array(Uint8Array, Math.ceil(node.length / 8)), validity };
    }),
  [Type.Int]: (metadata) => {
    const int = typeOf(metadata, new IntMetadata());
    return fixed(new arrow.Int(int.isSigned(), int.bitWidth() as IntBitWidth));
  },
  [Type.FloatingPoint]: (metadata) => fixed(new arrow.Float(typeOf(metadata, new FloatMetadata()).precision())),
  [Type.Date]: (metadata) => fixed(new arrow.Date_(typeOf(metadata, new DateMetadata()).unit())),
  [Type.Time]: (metadata) => {
    const time = typeOf(metadata, new TimeMetadata());
    return fixed(new arrow.Time(time.unit(), time.bitWidth() as TimeBitWidth));
  },
  [Type.Timestamp]: (metadata) => {
    const timestamp = typeOf(metadata, new TimestampMetadata());
    return fixed(new arrow.Timestamp(timestamp.unit(), timestamp.timezone()));
  },
  [Type.Duration]: (metadata) => fixed(new arrow.Duration(typeOf(metadata, new DurationMetadata()).unit())),
  [Type.Interval]: (metadata) => fixed(new arrow.Interval(typeOf(metadata, new IntervalMetadata()).unit())),
  [Type.FixedSizeBinary]: (metadata) =>
    fixed(new arrow.FixedSizeBinary(typeOf(metadata, new FixedSizeBinaryMetadata()).byteWidth())),
  [Type.Decimal]: decimal,
  [Type.Utf8]: () => variable(new arrow.Utf8(), Int32Array),
  [Type.Binary]: () => variable(new arrow.Binary(), Int32Array),
  [Type.LargeUtf8]: () => variable(new arrow.LargeUtf8(), BigInt64Array),
  [Type.LargeBinary]: () => variable(new arrow.LargeBinary(), BigInt64Array),
  [Type.Utf8View]: () => views(new arrow.Utf8View()),
  [Type.BinaryView]: () => views(new arrow.BinaryView()),
  [Type.List]: (metadata, place) => list(metadata, place, (item) => new arrow.List(item), givenOffsets(Int32Array)),
  [Type.LargeList]: (metadata, place) =>
    list(metadata, place, (item) => new arrow.LargeList(item), givenOffsets(BigInt64Array)),
  [Type.Map]: (metadata, place) => {
    const keysSorted = typeOf(metadata, new MapMetadata()).keysSorted();
    return list(metadata, place, (entries) => new arrow.Map_(entries, keysSorted), givenOffsets(Int32Array));
  },
  [Type.ListView]: (metadata, place) =>
    list(metadata, place, (item) => new arrow.List(item), viewedOffsets(place, Int32Array)),
  [Type.LargeListView]: (metadata, place) =>
    list(metadata, place, (item) => new arrow.LargeList(item), viewedOffsets(place, BigInt64Array)),
  [Type.FixedSizeList]: fixedSizeList,
  [Type.Struct_]: struct,
  [Type.Union]: union,
};

/** What a column has besides its type and length. */
interface Parts {
  readonly values?: ArrayBufferView | undefined;
  readonly offsets?: ArrayBufferView | undefined;
  readonly validity?: Uint8Array | undefined;
  readonly typeIds?: Int8Array | undefined;
  readonly children?: readonly arrow.Data[];
  readonly dictionary?: arrow.Vector | undefined;
  readonly variadic?: readonly Uint8Array[];
  readonly node?: Node;
}

function data(type: DataType, { length, nullCount }: Node, parts: Parts): arrow.Data {
  const buffers = [parts.offsets, parts.values, parts.validity ?? new Uint8Array(), parts.typeIds];
  // The library's own type for the buffers depends on the column's type, which is not known here.
  return new arrow.Data<DataType>(
    type,
    0,
    length,
    nullCount,
    buffers as never,
    [...(parts.children ?? [])],
    parts.dictionary,
    parts.variadic ?? [],
  );
}

function leaf(type: DataType, parts: (body: Body, node: Node) => Parts): Kind {
  function read(body: Body): arrow.Data {
    const node = body.node();
    const found = parts(body, node);
    return data(type, found.node ?? node, found);
  }
  return { type, read, dictionaries: [] };
}

function fixed(type: DataType): Kind {
  const kind = type.ArrayType as ArrayKind<ArrayBufferView>;
  const stride = strideForType(type);
  return leaf(type, (body, node) => {
    const validity = body.validity(node);
    return { values: body.array(kind, node.length * stride), validity };
  });
}

function variable(type: DataType, offsetKind: ArrayKind<Int32Array | BigInt64Array>): Kind {
  return leaf(type, (body, node) => {
    const validity = body.validity(node);
    const offsets = body.offsets(offsetKind, node.length);
    return { validity, offsets, values: body.bytes() };
  });
}

function views(type: DataType): Kind {
  return leaf(type, (body, node) => {
    const validity = body.validity(node);
    const values = body.array(Uint8Array, node.length * VIEW_BYTES);
    return { validity, values, variadic: body.variadic() };
  });
}

function decimal(metadata: FieldMetadata): Kind {
  const found = typeOf(metadata, new DecimalMetadata());
  const [precision, scale, words] = [found.precision(), found.scale(), found.bitWidth() / 32];
  if (words === 4) {
    return fixed(new arrow.Decimal(scale, precision, 128));
  }
  if (words < 4) {
    return leaf(new arrow.Decimal(scale, precision, 128), (body, node) => {
      const validity = body.validity(node);
      return { values: widened(body.array(Uint32Array, node.length * words), words, node.length), validity };
    });
  }
  return leaf(new arrow.Utf8(), (body, node) => {
    const validity = body.validity(node);
    return { validity, ...texts(body.array(Uint32Array, node.length * words), words, scale, node.length) };
  });
}

/** Decimals as texts, with all their digits. */
function texts(numbers: Uint32Array, words: number, scale: number, length: number): Parts {
  const offsets = new Int32Array(length + 1);
  const written: string[] = [];
  for (let index = 0; index < length; index += 1) {
    const text = decimalAt(numbers, words, index, scale);
    written.push(text);
    offsets[index + 1] = (offsets[index] ?? 0) + text.length;
  }
  return { offsets, values: new Uint8Array(Buffer.from(written.join(""), "latin1")) };
}

/** Where each list of a column begins, and where the last one ends. */
type ReadOffsets = (body: Body, node: Node, validity: Uint8Array) => Int32Array | BigInt64Array;

function list(
  metadata: FieldMetadata,
  place: Place,
  typeWith: (item: arrow.Field) => DataType,
  offsetsOf: ReadOffsets,
): Kind {
  const item = childOf(metadata, place, 0);
  const type = typeWith(item.field);
  function read(body: Body): arrow.Data {
    const node = body.node();
    const validity = body.validity(node);
    const offsets = offsetsOf(body, node, validity);
    return data(type, node, { validity, offsets, children: [item.read(body)] });
  }
  return { type, read, dictionaries: item.dictionaries };
}

/** The offsets as they are in the batch. */
function givenOffsets(kind: ArrayKind<Int32Array | BigInt64Array>): ReadOffsets {
  return (body, node) => body.offsets(kind, node.length);
}

/** Lists whose places and lengths are given become lists, if they lie one after the other. */
function viewedOffsets(place: Place, kind: ArrayKind<Int32Array | BigInt64Array>): ReadOffsets {
  return (body, node, validity) => {
    const starts = body.array(kind, node.length);
    const lengths = body.array(kind, node.length);
    const isThere = (row: number): boolean =>
      Number(lengths[row]) > 0 && (node.nullCount === 0 || ((validity[row >> 3] ?? 0) & (1 << (row % 8))) !== 0);
    const offsets = Array.from(new kind(node.length + 1), Number);
    // What is null or empty may have any place.
    let end: number | undefined;
    for (let row = 0; row < node.length; row += 1) {
      if (isThere(row)) {
        const start = Number(starts[row]);
        if (end === undefined) {
          offsets.fill(start, 0, row + 1);
        } else if (start !== end) {
          throw unread(place.path, "list_view, whose lists overlap or lie in another order than its rows");
        }
        end = start + Number(lengths[row]);
      }
      offsets[row + 1] = end ?? 0;
    }
    return kind.BYTES_PER_ELEMENT === 8 ? BigInt64Array.from(offsets, BigInt) : Int32Array.from(offsets);
  };
}

function fixedSizeList(metadata: FieldMetadata, place: Place): Kind {
  const item = childOf(metadata, place, 0);
  const type = new arrow.FixedSizeList(typeOf(metadata, new FixedSizeListMetadata()).listSize(), item.field);
  function read(body: Body): arrow.Data {
    const node = body.node();
    const validity = body.validity(node);
    return data(type, node, { validity, children: [item.read(body)] });
  }
  return { type, read, dictionaries: item.dictionaries };
}

function struct(metadata: FieldMetadata, place: Place): Kind {
  const fields = childrenOf(metadata, place);
  const type = new arrow.Struct(fields.map(({ field }) => field));
  function read(body: Body): arrow.Data {
    const node = body.node();
    const validity = body.validity(node);
    return data(type, node, { validity, children: fields.map((field) => field.read(body)) });
  }
  return { type, read, dictionaries: fields.flatMap(({ dictionaries }) => dictionaries) };
}

function union(metadata: FieldMetadata, place: Place): Kind {
  const found = typeOf(metadata, new UnionMetadata());
  const fields = childrenOf(metadata, place);
  const ids = [...(found.typeIdsArray() ?? fields.keys())];
  const type = new arrow.Union(
    found.mode(),
    ids,
    fields.map(({ field }) => field),
  );
  const isDense = found.mode() === arrow.UnionMode.Dense;
  function read(body: Body): arrow.Data {
    const node = body.node();
    const typeIds = body.array(Int8Array, node.length);
    const offsets = isDense ? body.array(Int32Array, node.length) : undefined;
    return data(type, node, { typeIds, offsets, children: fields.map((field) => field.read(body)) });
  }
  return { type, read, dictionaries: fields.flatMap(({ dictionaries }) => dictionaries) };
}

function childOf(metadata: FieldMetadata, { path, budget }: Place, index: number): Column {
  const child = index < metadata.childrenLength() ? metadata.children(index) : null;
  if (child === null) {
    throw notArrow(`column "${path}" has no field for its values`);
  }
  budget.take(1);
  return columnOf(child, budget, `${path}.${child.name() ?? ""}`);
}

function childrenOf(metadata: FieldMetadata, place: Place): Column[] {
  const length = metadata.childrenLength();
  place.budget.take(length);
  return Array.from({ length }, (_, index) => childOf(metadata, place, index));
}

function typeOf<T>(metadata: FieldMetadata, type: T): T {
  return metadata.type(type) as T;
}

function unread(path: string, type: string): PolarwayError {
  return invalidInput(
    `column "${path}" has Arrow's type ${type}, which this client can't read. A query can give it as another type, ` +
      `such as SELECT CAST("${path.replaceAll('"', '""')}" AS VARCHAR)`,
  );
}
