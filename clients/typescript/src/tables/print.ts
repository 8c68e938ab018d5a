// A table as text, for people.

import { inspect } from "node:util";
import type { RecordBatch, Schema } from "apache-arrow";
import { reader } from "./values.js";

// How much of a table is shown.
const MOST_ROWS = 10;
const MOST_COLUMNS = 12;
const MOST_CHARACTERS = 32;

/** The columns, their types and the first rows. */
export function drawn(schema: Schema, batches: readonly RecordBatch[], rows: number): string {
  const fields = schema.fields.slice(0, MOST_COLUMNS);
  const first = firstRows(batches, fields.length);
  const head = [fields.map(({ name }) => cut(name)), fields.map(({ type }) => cut(String(type)))];
  const lines = [...head, ...first.map((row) => row.map((value) => cut(shown(value))))];
  const isNumber = fields.map((_, column) => first.every((row) => isNumeric(row[column])) && first.length > 0);
  const widths = fields.map((_, column) => Math.max(...lines.map((line) => width(line[column] ?? ""))));
  const rule = (left: string, middle: string, right: string) =>
    `${left}${widths.map((cells) => "─".repeat(cells + 2)).join(middle)}${right}`;
  const drawnLines = lines.map((line) => {
    const cells = line.map((text, column) => padded(text, widths[column] ?? 0, isNumber[column] ?? false));
    return `│ ${cells.join(" │ ")} │`;
  });
  const count = `${plural(rows, "row")} × ${plural(schema.fields.length, "column")}`;
  const more = [
    rows > first.length ? `the first ${first.length} rows` : "",
    schema.fields.length > fields.length ? `${fields.length} columns` : "",
  ];
  const note = more.filter((text) => text !== "").join(", ");
  if (fields.length === 0) {
    return count;
  }
  return [
    note === "" ? count : `${count} (shown: ${note})`,
    rule("┌", "┬", "┐"),
    ...drawnLines.slice(0, 2),
    rule("├", "┼", "┤"),
    ...drawnLines.slice(2),
    rule("└", "┴", "┘"),
  ].join("\n");
}

function firstRows(batches: readonly RecordBatch[], columns: number): unknown[][] {
  const rows: unknown[][] = [];
  for (const batch of batches) {
    const readers = batch.data.children.slice(0, columns).map(reader);
    for (let row = 0; row < batch.numRows && rows.length < MOST_ROWS; row += 1) {
      rows.push(readers.map((read) => read(row)));
    }
  }
  return rows;
}

function shown(value: unknown): string {
  if (typeof value === "string") {
    return JSON.stringify(value).slice(1, -1);
  }
  if (value instanceof Date) {
    return Number.isNaN(value.getTime()) ? "Invalid Date" : value.toISOString();
  }
  if (typeof value !== "object" || value === null) {
    return String(value);
  }
  return inspect(value, { breakLength: Number.POSITIVE_INFINITY, depth: 4, maxArrayLength: 8 });
}

function isNumeric(value: unknown): boolean {
  return value === null || typeof value === "number" || typeof value === "bigint";
}

function cut(text: string): string {
  const characters = [...text];
  return characters.length > MOST_CHARACTERS ? `${characters.slice(0, MOST_CHARACTERS - 1).join("")}…` : text;
}

function width(text: string): number {
  return [...text].length;
}

function padded(text: string, cells: number, isRight: boolean): string {
  const space = " ".repeat(cells - width(text));
  return isRight ? space + text : text + space;
}

function plural(count: number, what: string): string {
  return `${count.toLocaleString("en-US")} ${what}${count === 1 ? "" : "s"}`;
}
