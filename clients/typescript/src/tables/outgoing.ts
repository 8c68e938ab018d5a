// Tables that users hand in, of whatever copy or version of the library apache-arrow.
//
// A program may have several copies: one for `import`, one for `require`, one of another package. Objects of one are
// not objects of the classes of another. So tables are recognised by what they have, and only that is used.

import type { Schema } from "apache-arrow";
import * as arrow from "apache-arrow";
import type { TKeys } from "apache-arrow/type";
import { invalidInput } from "../failure.js";
import { schemaWith } from "./decode.js";

/** A column of a batch, as every copy of the library has it. */
export interface OutgoingData {
  readonly type: OutgoingType;
  readonly length: number;
  readonly offset: number;
  readonly stride: number;
  readonly nullCount: number;
  readonly values?: ArrayBufferView | undefined;
  readonly valueOffsets?: Int32Array | BigInt64Array | undefined;
  readonly nullBitmap?: Uint8Array | undefined;
  readonly children: readonly OutgoingData[];
  readonly dictionary?: { readonly data: readonly OutgoingData[] } | undefined;
  readonly variadicBuffers?: readonly Uint8Array[];
}

/** A type, as every copy of the library has it. */
export interface OutgoingType {
  readonly typeId: number;
  readonly children?: readonly OutgoingField[] | null;
  readonly [detail: string]: unknown;
}

/** A field, as every copy of the library has it. */
export interface OutgoingField {
  readonly name: string;
  readonly type: OutgoingType;
  readonly nullable: boolean;
  readonly metadata?: Map<string, string> | null;
}

/** Some rows. */
export interface OutgoingBatch {
  readonly rows: number;
  readonly columns: readonly OutgoingData[];
}

/** A table to send. */
export interface OutgoingTable {
  readonly schema: Schema;
  /** Begins to read at the first row. */
  readonly batches: () => Iterable<OutgoingBatch> | AsyncIterable<OutgoingBatch>;
  /** Whether the rows can be read again now, for a retry. */
  readonly isRepeatable: () => boolean;
}

/** A batch of any copy of the library. */
export interface AnyBatch {
  readonly schema: { readonly fields: readonly OutgoingField[]; readonly metadata?: Map<string, string> };
  readonly data: { readonly length: number; readonly children: readonly OutgoingData[] };
}

/** A table of any copy of the library. */
export interface AnyTable {
  readonly schema: AnyBatch["schema"];
  readonly batches: readonly AnyBatch[];
}

/** Whether it is a table of some copy of the library. */
export function isAnyTable(value: unknown): value is AnyTable {
  const table = value as Partial<AnyTable> | null;
  return typeof table === "object" && Array.isArray(table?.schema?.fields) && Array.isArray(table.batches);
}

/** Whether it is a batch of some copy of the library. */
export function isAnyBatch(value: unknown): value is AnyBatch {
  const batch = value as Partial<AnyBatch> | null;
  return typeof batch === "object" && Array.isArray(batch?.schema?.fields) && Array.isArray(batch.data?.children);
}

/** Whether it is a column of some copy of the library. */
export function isAnyVector(
  value: unknown,
): value is { readonly data: readonly OutgoingData[]; readonly type: OutgoingType } {
  const vector = value as { data?: unknown; type?: Partial<OutgoingType> } | null;
  return typeof vector === "object" && Array.isArray(vector?.data) && typeof vector.type?.typeId === "number";
}

/** The rows of a batch. */
export function batchOfAny({ data }: AnyBatch): OutgoingBatch {
  return { rows: data.length, columns: data.children };
}

/** The same columns, as this package's copy of the library has them. Each dictionary has an id of its own. */
export function ownSchema(fields: readonly OutgoingField[], metadata?: Map<string, string> | null): Schema {
  let nextId = 0;
  const own = fields.map((field) => ownField(field, field.name, () => nextId++));
  return schemaWith(own, new Map(metadata ?? []));
}

type FreshId = () => number;

function ownField({ name, type, nullable, metadata }: OutgoingField, path: string, freshId: FreshId): arrow.Field {
  return new arrow.Field(name, ownType(type, path, freshId), nullable, new Map(metadata ?? []));
}

/** A type by its details, which have the same names in every copy. */
function ownType(type: OutgoingType, path: string, freshId: FreshId): arrow.DataType {
  const children = (type.children ?? []).map((child) => ownField(child, `${path}.${child.name}`, freshId));
  const detail = <T>(name: string): T => type[name] as T;
  const only = children[0] ?? new arrow.Field("item", new arrow.Null(), true);
  switch (type.typeId as arrow.Type) {
    case arrow.Type.Null:
      return new arrow.Null();
    case arrow.Type.Int:
      return new arrow.Int(detail("isSigned"), detail("bitWidth"));
    case arrow.Type.Float:
      return new arrow.Float(detail("precision"));
    case arrow.Type.Bool:
      return new arrow.Bool();
    case arrow.Type.Utf8:
      return new arrow.Utf8();
    case arrow.Type.LargeUtf8:
      return new arrow.LargeUtf8();
    case arrow.Type.Utf8View:
      return new arrow.Utf8View();
    case arrow.Type.Binary:
      return new arrow.Binary();
    case arrow.Type.LargeBinary:
      return new arrow.LargeBinary();
    case arrow.Type.BinaryView:
      return new arrow.BinaryView();
    case arrow.Type.FixedSizeBinary:
      return new arrow.FixedSizeBinary(detail("byteWidth"));
    case arrow.Type.Decimal:
      return new arrow.Decimal(detail("scale"), detail("precision"), detail("bitWidth"));
    case arrow.Type.Date:
      return new arrow.Date_(detail("unit"));
    case arrow.Type.Time:
      return new arrow.Time(detail("unit"), detail("bitWidth"));
    case arrow.Type.Timestamp:
      return new arrow.Timestamp(detail("unit"), detail("timezone"));
    case arrow.Type.Duration:
      return new arrow.Duration(detail("unit"));
    case arrow.Type.List:
      return new arrow.List(only);
    case arrow.Type.LargeList:
      return new arrow.LargeList(only);
    case arrow.Type.FixedSizeList:
      return new arrow.FixedSizeList(detail("listSize"), only);
    case arrow.Type.Struct:
      return new arrow.Struct(children);
    case arrow.Type.Map:
      return new arrow.Map_(only, detail("keysSorted"));
    case arrow.Type.Dictionary: {
      const indices = ownType(detail("indices"), path, freshId) as TKeys;
      const values = ownType(detail("dictionary"), path, freshId);
      return new arrow.Dictionary(values, indices, freshId(), detail("isOrdered"));
    }
    default:
      throw invalidInput(`column "${path}" has Arrow's type ${String(type)}, which Polarway does not store`);
  }
}
