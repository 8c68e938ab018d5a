// The scenarios that the clients of all languages share, see `proto/cases/README.md`.

import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import type { TestContext } from "node:test";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { REASONS } from "../src/generated/reasons.js";
import type { PolarwayTable } from "../src/index.js";
import { PolarwayClient, PolarwayError } from "../src/index.js";
import { BreakingProxy } from "./tools/breakingProxy.js";
import { root } from "./tools/folders.js";
import { atEnd, startServer } from "./tools/server.js";
import type { TableSpec } from "./tools/tables.js";
import { built, difference } from "./tools/tables.js";

interface Step {
  readonly call: string;
  readonly with?: Readonly<Record<string, unknown>>;
  readonly as?: string;
  readonly gives?: Readonly<Record<string, unknown>>;
  readonly refused?: { readonly reason: string; readonly says: readonly string[] };
  readonly timeout_ms?: number;
  readonly eventually?: boolean;
  readonly breaks_at?: readonly number[];
}

interface Scenario {
  readonly name: string;
  readonly server?: readonly string[];
  readonly tables?: Readonly<Record<string, TableSpec>>;
  readonly steps: readonly Step[];
}

/** What a call gave. */
interface Outcome {
  readonly version?: number;
  readonly rows?: number;
  readonly count?: number;
  readonly names?: readonly string[];
  readonly table?: PolarwayTable;
}

const PATIENCE_MS = 120_000;
const SCENARIO_KEYS = ["name", "server", "tables", "steps"];
const STEP_KEYS = ["call", "with", "as", "gives", "refused", "timeout_ms", "eventually", "breaks_at"];

const folder = root("proto", "cases", "scenarios");
const files = readdirSync(folder).map((name) => {
  const content = JSON.parse(readFileSync(`${folder}/${name}`, "utf8")) as {
    scenarios: Scenario[];
    elsewhere?: object;
  };
  return { name, ...content };
});

/** Decimals of 32 bytes come as text, see `docs/typescript.md`. */
function handedOver(type: string): string {
  const digits = /^Decimal\[(\d+)e/.exec(type)?.[1];
  return Number(digits ?? 0) > 38 ? "Utf8" : type;
}

/** The steps of a scenario, done with a client. */
class Runner {
  readonly #scenario: Scenario;
  readonly #address: string;
  readonly #handles = new Map<string, string>();
  readonly #started = new Map<string, { sql: string; result: Promise<PolarwayTable> }>();
  readonly #tables = new Map<string, PolarwayTable>();

  constructor(scenario: Scenario, address: string) {
    checkKeys(scenario, SCENARIO_KEYS);
    this.#scenario = scenario;
    this.#address = address;
  }

  async run(): Promise<void> {
    for (const [index, step] of this.#scenario.steps.entries()) {
      checkKeys(step, STEP_KEYS);
      const what = `step ${index + 1} (${step.call})`;
      if (step.breaks_at === undefined) {
        await this.#step(what, step, this.#address, step.timeout_ms ?? PATIENCE_MS);
        continue;
      }
      const whole = await new BreakingProxy(this.#address).listen();
      await this.#step(what, step, whole.address);
      await whole.close();
      for (const part of step.breaks_at) {
        const breaking = await new BreakingProxy(this.#address, Math.floor(whole.count * part)).listen();
        await this.#step(what, step, breaking.address);
        assert.equal(breaking.failures, 1, `${what}: it did not break at ${part}`);
        await breaking.close();
      }
    }
  }

  async #step(what: string, step: Step, address: string, timeout = PATIENCE_MS): Promise<void> {
    const deadline = performance.now() + PATIENCE_MS;
    await using client = new PolarwayClient({ host: address, timeout });
    while (true) {
      const wrong = await this.#difference(step, client);
      if (wrong === undefined) {
        return;
      }
      assert.ok(step.eventually === true && performance.now() < deadline, `${what}: ${wrong}`);
      await sleep(20);
    }
  }

  /** How what a call gives, or is refused with, is not what it should be. */
  async #difference(step: Step, client: PolarwayClient): Promise<string | undefined> {
    let outcome: Outcome;
    try {
      outcome = await this.#call(step, client);
    } catch (error) {
      if (!(error instanceof PolarwayError) || step.refused === undefined) {
        throw error;
      }
      const { reason, says } = step.refused;
      const isSame =
        error.reason === reason && says.every((text) => error.message.includes(this.#withIds(text) as string));
      return isSame ? undefined : `${error.reason}: ${error.message} and not ${JSON.stringify(step.refused)}`;
    }
    if (step.refused !== undefined) {
      return `it was not refused with ${step.refused.reason}`;
    }
    return this.#differenceOfOutcome(step, outcome);
  }

  #differenceOfOutcome(step: Step, outcome: Outcome): string | undefined {
    const { table, ...gives } = step.gives ?? {};
    for (const [name, value] of Object.entries(gives)) {
      const found = outcome[name as keyof Outcome];
      if (JSON.stringify(found) !== JSON.stringify(value)) {
        return `${name} is ${JSON.stringify(found)} and not ${JSON.stringify(value)}`;
      }
    }
    if (table === undefined || outcome.table === undefined) {
      return undefined;
    }
    return difference(this.#table(table), outcome.table, step.call !== "load", handedOver);
  }

  async #call({ call, with: given = {}, as }: Step, client: PolarwayClient): Promise<Outcome> {
    const text = (name: string): string => this.#withIds(given[name]) as string;
    const optional = <T>(name: string): T | undefined => given[name] as T | undefined;
    const expectedVersion = optional<number>("expected_version");
    switch (call) {
      case "store": {
        const table = this.#table(given["table"]);
        const mode = optional<"overwrite" | "create" | "append">("mode") ?? "overwrite";
        return mode === "append"
          ? client.append(text("name"), table, { expectedVersion })
          : client.store(text("name"), table, { mode, expectedVersion });
      }
      case "load": {
        const options = {
          version: optional<number>("version"),
          columns: optional<string[]>("columns"),
          rows: optional<[number, number]>("rows"),
        };
        return ofTable(await client.load(text("name"), options));
      }
      case "query":
        return ofTable(
          await client.query(text("sql"), {
            parameters: optional<string[]>("parameters"),
            timeLimit: optional<number>("time_ms"),
          }),
        );
      case "describe":
        return client.describe(text("name"));
      case "versions":
        return { count: (await client.versions(text("name"))).length };
      case "delete":
        return { version: (await client.delete(text("name"), { expectedVersion })).version };
      case "datasets":
        return { names: (await client.datasets()).map(({ name }) => name) };
      case "keep": {
        const options = { ttl: optional<number>("ttl_ms"), timeLimit: optional<number>("time_ms") };
        const handle = await client.queryHandle(text("sql"), options);
        handle.keep();
        this.#handles.set(as ?? "", handle.id);
        return { rows: handle.rows };
      }
      case "handle":
        return { rows: (await client.handle(text("id"))).rows };
      case "drop":
        await client.dropHandle(text("id"));
        return {};
      case "start":
        return this.#start(client, text("sql"), text("until"), as ?? "");
      case "cancel": {
        const started = this.#started.get(optional<string>("query") ?? "");
        await client.cancel(started === undefined ? text("id") : await this.#idOf(client, started.sql, "running"));
        return {};
      }
      case "wait":
        return ofTable(await (this.#started.get(text("query"))?.result as Promise<PolarwayTable>));
      default:
        throw new Error(`"${call}" is no call`);
    }
  }

  async #start(client: PolarwayClient, sql: string, until: string, as: string): Promise<Outcome> {
    const other = new PolarwayClient({ host: this.#address, timeout: PATIENCE_MS });
    const result = other.query(sql).finally(() => other.close());
    // Who waits for it sees how it failed.
    result.catch(() => {});
    this.#started.set(as, { sql, result });
    await this.#idOf(client, sql, until);
    return {};
  }

  /** Waits until a query has this phase. */
  async #idOf(client: PolarwayClient, sql: string, phase: string): Promise<string> {
    while (true) {
      const found = (await client.queries()).find((query) => query.sql === sql && query.phase === phase);
      if (found !== undefined) {
        return found.queryId;
      }
    }
  }

  /** A text with the ids of handles in the place of their names. */
  #withIds(value: unknown): unknown {
    return typeof value === "string"
      ? [...this.#handles].reduce((text, [name, id]) => text.replaceAll(`{${name}}`, id), value)
      : value;
  }

  #table(spec: unknown): PolarwayTable {
    if (typeof spec !== "string") {
      return built(spec as TableSpec);
    }
    const table = this.#tables.get(spec) ?? built(this.#scenario.tables?.[spec] ?? {});
    this.#tables.set(spec, table);
    return table;
  }
}

function ofTable(table: PolarwayTable): Outcome {
  return { table, rows: table.numRows };
}

function checkKeys(object: object, keys: readonly string[]): void {
  assert.deepEqual(
    Object.keys(object).filter((key) => !keys.includes(key)),
    [],
  );
}

async function run(t: TestContext, scenario: Scenario): Promise<void> {
  const { address } = await startServer(atEnd(t), scenario.server);
  await new Runner(scenario, address).run();
}

for (const { name, scenarios } of files) {
  await describe(name, { concurrency: 2 }, () => {
    for (const scenario of scenarios) {
      test(`${scenario.name}: comes out as in all clients`, (t) => run(t, scenario));
    }
  });
}

await test("every reason is met, or it is said where it is", () => {
  const steps = files.flatMap(({ scenarios }) => scenarios.flatMap((scenario) => scenario.steps));
  const met = steps.flatMap(({ refused }) => (refused === undefined ? [] : [refused.reason]));
  const elsewhere = files.flatMap((file) => Object.keys(file.elsewhere ?? {}));
  assert.deepEqual([...new Set([...met, ...elsewhere])].sort(), Object.keys(REASONS).sort());
});
