// The fluent methods: each is one more step over the rows of a handle.

import type { JoinHow, Source, Texts } from "./sql/steps.js";
import { datasetSource, type Steps } from "./sql/steps.js";

/**
 * Steps over the rows of a handle.
 *
 * A handle does each step at once, on the server, and gives a handle of the result. A lazy query does nothing before
 * its rows are requested: it gives a lazy query, whose steps become one query.
 *
 * An expression is a piece of DuckDB's SQL, such as `dep_delay / 60`. Each is checked to be a single one before
 * anything is sent, so that no text can be more than one expression. Comments are not allowed in it. A subquery in one
 * may read the table `self`, which is the input of the step. Values from users belong into parameters, `$name`, of
 * `LazyQuery.collect`. Where a method takes several texts, they are given one by one or in lists.
 */
export abstract class Fluent<R> {
  /** The rows for which the condition is true, in their order. */
  filter(condition: string): R {
    return this.after(() => this.steps().filter(condition));
  }

  /**
   * These columns of all rows, in their order: `carrier`, `dep_delay / 60 AS hours`, `*`.
   *
   * A column without AS has the name that DuckDB gives it. If all are aggregates, the result is one row.
   */
  select(...columns: Texts[]): R {
    return this.after(() => this.steps().select(columns));
  }

  /**
   * All columns and these, each `expression AS name`, of all rows in their order.
   *
   * A column whose name exists replaces that column; the others are added at the end. All are computed from the columns
   * of the input. After `sql`, a `join` with a dataset, and a `select` of expressions without names, the client does
   * not know the columns: then a replaced column moves to the end, too.
   */
  withColumns(...columns: Texts[]): R {
    return this.after(() => this.steps().withColumns(columns));
  }

  /** The rows in groups, for `agg`. A key is an expression, with or without `AS name`. */
  groupBy(...keys: Texts[]): GroupBy<R> {
    return new GroupBy((aggregates) => this.after(() => this.steps().aggregate(keys, aggregates)));
  }

  /**
   * Joins the rows with those of a handle, a lazy query or a dataset, where the columns `on`, which both have, are
   * equal.
   *
   * The result has those columns once; of others that both have, the right one gets `_1` after its name. The rows have
   * no defined order.
   */
  join(other: Fluent<unknown> | string, on: Texts, how: JoinHow = "inner"): R {
    const source = (): Source => (other instanceof Fluent ? other.source() : datasetSource(other));
    return this.after(() => this.steps().join(source(), on, how));
  }

  /**
   * Sorts the rows by these expressions, each with an optional ASC, DESC, NULLS FIRST or NULLS LAST after it.
   *
   * By default the order is ascending, and nulls come last.
   */
  sort(...by: Texts[]): R {
    return this.after(() => this.steps().sort(by));
  }

  /** The first rows. */
  limit(rows: number): R {
    return this.after(() => this.steps().limit(rows));
  }

  /** Each different row once, in no defined order. */
  distinct(): R {
    return this.after(() => this.steps().distinct());
  }

  /**
   * The result of your own SELECT, in which the table `self` is the input: `SELECT … FROM self WHERE …`.
   *
   * It is only checked to be one statement.
   */
  sql(sql: string): R {
    return this.after(() => this.steps().query(sql));
  }

  /** The steps until here. @internal */
  abstract steps(): Steps;

  /** The rows, as the right side of a join. @internal */
  abstract source(): Source;

  /** What one more step gives. @internal */
  protected abstract after(step: () => Steps): R;
}

/** Rows in groups. It does nothing before `agg`. */
export class GroupBy<R> {
  readonly #aggregate: (aggregates: readonly Texts[]) => R;

  /** @internal */
  constructor(aggregate: (aggregates: readonly Texts[]) => R) {
    this.#aggregate = aggregate;
  }

  /**
   * One row for each group: its keys, and these aggregates, such as `count(*) AS n`.
   *
   * Without aggregates, only the keys. The groups have no defined order.
   */
  agg(...aggregates: Texts[]): R {
    return this.#aggregate(aggregates);
  }
}
