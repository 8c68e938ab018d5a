// Several steps over a table as one SQL text. Each step reads the result of the step before as the table `self`.
//
// Nothing here makes a call. Lazy queries and handles have these steps as methods, and run the text.

import { invalidInput } from "../failure.js";
import { shown } from "../texts.js";
import type { Item } from "./expression.js";
import { column, expression, sortKey, statement } from "./expression.js";
import { folded, identifier, literal } from "./tokens.js";

/**
 * The kind of a join.
 *
 * `inner`: pairs of rows that match. `left`, `right`: these, and the rows of that side that have no match, with nulls
 * on the other. `full`: these, and the rows of both sides that have no match. `semi`, `anti`: the rows of the left that
 * have a match, once each, or that have none, without the columns of the right.
 */
export type JoinHow = "inner" | "left" | "right" | "full" | "semi" | "anti";

const JOINS: readonly string[] = ["inner", "left", "right", "full", "semi", "anti"] satisfies JoinHow[];
const WITHOUT_THE_RIGHT: readonly string[] = ["semi", "anti"] satisfies JoinHow[];

/** What a text or several texts are given as. */
export type Texts = string | readonly string[];

/** The right side of a join. */
export interface Source {
  /** The SQL after JOIN. */
  readonly relation: string;
  /** Its columns, if they are known. */
  readonly columns: readonly string[] | undefined;
  /** What must not be collected before the query has run. */
  readonly held: readonly unknown[];
}

/** A dataset, as the right side of a join. */
export function datasetSource(name: unknown): Source {
  if (typeof name !== "string") {
    throw invalidInput(`${shown(name)} is nothing to join with: a dataset's name, a handle or a lazy query is`);
  }
  if (name.includes("\0")) {
    throw invalidInput("a name with a NUL character is no dataset's");
  }
  // `self` is the query itself; a dataset of that name is found under its longer name.
  const schema = folded(name) === "self" ? "main." : "";
  return { relation: schema + identifier(name), columns: undefined, held: [] };
}

/** A handle, as the right side of a join. */
export function handleSource(handleId: string, columns: readonly string[], held: unknown): Source {
  return { relation: identifier(handleId), columns, held: [held] };
}

/** The text of all steps until now. */
export class Steps {
  readonly sql: string;
  /** The names of the columns, if they are known from the steps. */
  readonly columns: readonly string[] | undefined;
  /** What must not be collected before the query has run. */
  readonly held: readonly unknown[];

  private constructor(sql: string, columns: readonly string[] | undefined, held: readonly unknown[]) {
    this.sql = sql;
    this.columns = columns;
    this.held = held;
  }

  /** No steps yet: the rows of a handle. */
  static ofHandle(handleId: string, columns: readonly string[], held: unknown): Steps {
    return new Steps(`FROM ${identifier(handleId)}`, columns, [held]);
  }

  /** These steps as the right side of a join. */
  asSource(): Source {
    return { relation: `(\n${this.sql}\n) AS other`, columns: this.columns, held: this.held };
  }

  filter(condition: string): Steps {
    return this.#step(`SELECT * FROM self WHERE ${expression(condition)}`, this.columns);
  }

  select(columns: readonly Texts[]): Steps {
    const items = flat(columns).map(column);
    refuseNone(items, "columns to select");
    return this.#step(`SELECT ${sqlOf(items)} FROM self`, namesOf(items, this.columns));
  }

  withColumns(columns: readonly Texts[]): Steps {
    const items = flat(columns).map(named);
    refuseNone(items, "columns to add");
    const seen = new Set<string>();
    for (const { alias } of items) {
      if (seen.has(folded(alias))) {
        throw invalidInput(`two columns are to be called ${shown(alias)}`);
      }
      seen.add(folded(alias));
    }
    if (this.columns === undefined) {
      const names = items.map(({ alias }) => literal(alias.toLowerCase())).join(", ");
      const select = `SELECT COLUMNS(lambda name: lower(name) NOT IN (${names})), ${sqlOf(items)} FROM self`;
      return this.#step(select, undefined);
    }
    const before = new Set(this.columns.map(folded));
    const replaced = items.filter(({ alias }) => before.has(folded(alias)));
    const added = items.filter(({ alias }) => !before.has(folded(alias)));
    const all = replaced.length > 0 ? `* REPLACE (${sqlOf(replaced)})` : "*";
    const select = [all, ...added.map(({ sql }) => sql)].join(", ");
    return this.#step(`SELECT ${select} FROM self`, [...this.columns, ...added.map(({ alias }) => alias)]);
  }

  aggregate(keys: readonly Texts[], aggregates: readonly Texts[]): Steps {
    const keyItems = flat(keys).map(column);
    if (keyItems.some(({ names }) => names === "all")) {
      throw invalidInput("* is no key to group by: `distinct` groups by all");
    }
    refuseNone(keyItems, "keys to group by");
    const places = keyItems.map((_, index) => index + 1).join(", ");
    const items = [...keyItems, ...flat(aggregates).map(column)];
    return this.#step(`SELECT ${sqlOf(items)} FROM self GROUP BY ${places}`, namesOf(items, undefined));
  }

  join(other: Source, on: Texts, how: JoinHow): Steps {
    if (!JOINS.includes(how)) {
      throw invalidInput(`${shown(how)} is no kind of join: there are ${JOINS.join(", ")}`);
    }
    const names = flat([on]);
    const wrong = names.find((name) => typeof name !== "string" || name === "" || name.includes("\0"));
    if (wrong !== undefined) {
      throw invalidInput(`${shown(wrong)} is no name of a column to join on`);
    }
    refuseNone(names, "columns to join on");
    const columns = WITHOUT_THE_RIGHT.includes(how) ? this.columns : joinedNames(this.columns, other.columns, names);
    // With the inner SELECT, DuckDB renames columns of one name before they are a result.
    const using = names.map(identifier).join(", ");
    const inside = `SELECT * FROM self ${how.toUpperCase()} JOIN ${other.relation} USING (${using})`;
    const step = this.#step(`SELECT * FROM (${inside})`, columns);
    return new Steps(step.sql, step.columns, [...this.held, ...other.held]);
  }

  sort(by: readonly Texts[]): Steps {
    const keys = flat(by).map(sortKey);
    refuseNone(keys, "expressions to sort by");
    return this.#step(`SELECT * FROM self ORDER BY ${keys.join(", ")}`, this.columns);
  }

  limit(rows: number): Steps {
    if (!(Number.isSafeInteger(rows) && rows >= 0)) {
      throw invalidInput(`${shown(rows)} is no number of rows`);
    }
    return this.#step(`SELECT * FROM self LIMIT ${rows}`, this.columns);
  }

  distinct(): Steps {
    return this.#step("SELECT DISTINCT * FROM self", this.columns);
  }

  query(sql: string): Steps {
    // The line break ends a comment at the end of the text.
    return this.#step(`SELECT * FROM (\n${statement(sql)}\n)`, undefined);
  }

  /** Adds a SELECT over the result of the step before. */
  #step(select: string, columns: readonly string[] | undefined): Steps {
    // Most steps are read once. If one is not materialized, DuckDB optimizes through it: filters reach the files.
    return new Steps(`WITH self AS NOT MATERIALIZED (\n${this.sql}\n)\n${select}`, columns, this.held);
  }
}

/** Texts that were given one by one, or in lists. */
function flat(texts: readonly Texts[]): string[] {
  return texts.flatMap((text) => (typeof text === "string" ? [text] : [...text]));
}

function named(text: string): Item & { readonly alias: string } {
  const item = column(text);
  if (item.alias === undefined) {
    throw invalidInput(`${shown(text)} has no name: write \`… AS name\``);
  }
  return { ...item, alias: item.alias };
}

function sqlOf(items: readonly Item[]): string {
  return items.map(({ sql }) => sql).join(", ");
}

function refuseNone(items: readonly unknown[], what: string): void {
  if (items.length === 0) {
    throw invalidInput(`there are no ${what}: name one or more`);
  }
}

/** The names of the columns of a result, if all are known and different. */
function namesOf(items: readonly Item[], before: readonly string[] | undefined): readonly string[] | undefined {
  const names: string[] = [];
  for (const { names: own } of items) {
    if (typeof own === "object") {
      names.push(own.name);
    } else if (own === "all" && before !== undefined) {
      names.push(...before);
    } else {
      return undefined;
    }
  }
  return ifDistinct(names);
}

/** The names of the columns after a join. */
function joinedNames(
  left: readonly string[] | undefined,
  right: readonly string[] | undefined,
  on: readonly string[],
): readonly string[] | undefined {
  if (left === undefined || right === undefined) {
    return undefined;
  }
  const keys = new Set(on.map(folded));
  return ifDistinct([...left, ...right.filter((name) => !keys.has(folded(name)))]);
}

function ifDistinct(names: readonly string[]): readonly string[] | undefined {
  return new Set(names.map((name) => name.toLowerCase())).size === names.length ? names : undefined;
}
