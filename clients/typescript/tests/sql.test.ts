// Texts of SQL that users hand in, and the SQL that the fluent methods write: the cases that all clients share.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { Names } from "../src/sql/expression.js";
import { column, expression, sortKey, statement } from "../src/sql/expression.js";
import type { JoinHow, Source } from "../src/sql/steps.js";
import { datasetSource, handleSource, Steps } from "../src/sql/steps.js";
import { tokensOf } from "../src/sql/tokens.js";
import { root } from "./tools/folders.js";

interface Expressions {
  readonly one: string[];
  readonly none: { text: string; says: string }[];
  readonly named: { text: string; sql: string; name: string }[];
  readonly not_named: string[];
  readonly names: { text: string; names: string | null }[];
  readonly keys: { text: string; sql: string }[];
  readonly not_keys: string[];
  readonly statements: { text: string; sql: string }[];
  readonly not_statements: string[];
}

type Step = Readonly<Record<string, unknown>>;

interface FollowUps {
  readonly handles: { id: string; columns: string[] }[];
  readonly cases: { name: string; steps: Step[]; sql: string; columns: string[] | null }[];
  readonly refused: { steps: Step[]; says: string }[];
}

const cases = <T>(name: string): T => JSON.parse(readFileSync(root("proto", "cases", name), "utf8")) as T;
const expressions = cases<Expressions>("expressions.json");
const followUps = cases<FollowUps>("follow_ups.json");

function refusal(check: (text: string) => unknown, text: string): string {
  try {
    check(text);
  } catch (error) {
    assert.equal((error as { code?: string }).code, "INVALID_ARGUMENT");
    return (error as Error).message;
  }
  return assert.fail(`${JSON.stringify(text)} was not refused`);
}

function shownNames(names: Names): string | null {
  return typeof names === "object" ? names.name : names === "all" ? "*" : null;
}

test("one expression is put into parentheses as it is", () => {
  for (const text of expressions.one) {
    const sql = `(${text.trim()})`;
    assert.deepEqual([expression(text), column(text).sql, sortKey(text)], [sql, sql, sql], text);
  }
});

test("what could leave its place is refused and named", () => {
  for (const { text, says } of expressions.none) {
    const said = refusal(expression, text);
    assert.ok(said.startsWith(`${JSON.stringify(text)} is not `), said);
    assert.ok(said.includes(says), `${said} has no ${says}`);
    if (says !== "AS") {
      refusal(column, text);
    }
    refusal(sortKey, text);
  }
});

test("a name behind AS is quoted and known, and AS without one is refused", () => {
  for (const { text, sql, name } of expressions.named) {
    assert.deepEqual(column(text), { sql, names: { name }, alias: name });
  }
  for (const text of expressions.not_named) {
    assert.ok(refusal(column, text).includes("AS"), text);
  }
  for (const { text, names } of expressions.names) {
    assert.equal(shownNames(column(text).names), names, text);
  }
});

test("a sort key may have a direction, and a statement is a single one", () => {
  for (const { text, sql } of expressions.keys) {
    assert.equal(sortKey(text), sql);
  }
  for (const text of expressions.not_keys) {
    refusal(sortKey, text);
  }
  for (const { text, sql } of expressions.statements) {
    assert.equal(statement(text), sql);
  }
  for (const text of expressions.not_statements) {
    refusal(statement, text);
  }
  for (const text of ["\ud800", 7 as never]) {
    refusal(statement, text);
    refusal(expression, text);
  }
});

test("tokens cover all of a text", () => {
  const all = [
    ...expressions.one,
    ...expressions.none.map(({ text }) => text),
    ...expressions.statements.map(({ text }) => text),
  ];
  for (const text of all) {
    assert.equal(
      tokensOf(text)
        .map((token) => token.text)
        .join(""),
      text,
    );
  }
});

const columnsOf = (id: string): string[] => followUps.handles.find((handle) => handle.id === id)?.columns ?? [];

function stepsOf(id: string, steps: readonly Step[]): Steps {
  return steps.reduce(apply, Steps.ofHandle(id, columnsOf(id), id));
}

function apply(steps: Steps, step: Step): Steps {
  const texts = (name: string) => [step[name] as string[]];
  const [kind] = Object.keys(step);
  switch (kind) {
    case "filter":
      return steps.filter(step["filter"] as string);
    case "select":
      return steps.select(texts("select"));
    case "with_columns":
      return steps.withColumns(texts("with_columns"));
    case "group_by":
      return steps.aggregate(texts("group_by"), texts("agg"));
    case "join":
      return steps.join(sourceOf(step["join"] as Step), step["on"] as string[], step["how"] as JoinHow);
    case "sort":
      return steps.sort(texts("sort"));
    case "limit":
      return steps.limit(step["limit"] as number);
    case "distinct":
      return steps.distinct();
    case "sql":
      return steps.query(step["sql"] as string);
    default:
      return assert.fail(`${JSON.stringify(step)} is no step`);
  }
}

function sourceOf(other: Step): Source {
  if ("dataset" in other) {
    return datasetSource(other["dataset"]);
  }
  const id = other["handle"] as string;
  return "steps" in other ? stepsOf(id, other["steps"] as Step[]).asSource() : handleSource(id, columnsOf(id), id);
}

test("each step writes SQL over what was before, and tells the columns that it knows", () => {
  for (const { name, steps, sql, columns } of followUps.cases) {
    const made = stepsOf("h_0", steps);
    assert.deepEqual([made.sql, made.columns ?? null], [sql, columns], name);
  }
});

test("steps that can't be taken are refused before anything is sent", () => {
  for (const { steps, says } of followUps.refused) {
    const said = refusal(() => stepsOf("h_0", steps), "");
    assert.ok(said.includes(says), `${said} has no ${says}`);
  }
  const none = Steps.ofHandle("h_0", [], "h_0");
  for (const rows of [-1, 0.5, Number.NaN, "3" as never]) {
    refusal(() => none.limit(rows), "");
  }
  refusal(() => none.join(datasetSource("t"), "a", "outer" as never), "");
  refusal(() => datasetSource(7), "");
});

test("a query holds the handles that it reads", () => {
  const [left, right] = [{}, {}];
  const joined = Steps.ofHandle("h_0", ["a"], left)
    .join(handleSource("h_1", ["a"], right), "a", "inner")
    .limit(1);
  assert.deepEqual(joined.held, [left, right]);
});
