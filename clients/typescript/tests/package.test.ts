// What users install: the packed package, in an empty project.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { promisify } from "node:util";
import { VERSION } from "../src/version.js";
import { project } from "./tools/folders.js";
import { atEnd, temporaryFolder } from "./tools/server.js";

const run = promisify(execFile);
const manifest = JSON.parse(readFileSync(project("package.json"), "utf8")) as {
  version: string;
  dependencies: Record<string, string>;
};

/**
 * An empty project that has the packed package and, since a test needs no network, what it depends on out of this
 * checkout.
 */
async function installed(t: TestContext): Promise<string> {
  const folder = temporaryFolder(atEnd(t));
  const pack = await run("npm", ["pack", "--ignore-scripts", "--json", "--pack-destination", folder], {
    cwd: project(),
  });
  const parsed = JSON.parse(pack.stdout) as Packed[] | Record<string, Packed>;
  const [packed] = Object.values(parsed);
  assert.ok(packed !== undefined);
  const names = packed.files.map(({ path }) => path);
  assert.deepEqual(names.filter((path) => !/^dist\/.*\.(js|d\.ts)$/.test(path)).sort(), [
    "LICENSE",
    "README.md",
    "dist/cjs/package.json",
    "package.json",
  ]);
  const modules = join(folder, "node_modules");
  mkdirSync(join(modules, "@polarway", "client"), { recursive: true });
  await run("tar", [
    "-xzf",
    join(folder, packed.filename),
    "-C",
    join(modules, "@polarway", "client"),
    "--strip-components=1",
  ]);
  mkdirSync(join(modules, "@bufbuild"));
  mkdirSync(join(modules, "@types"));
  for (const name of [
    ...Object.keys(manifest.dependencies),
    "json-with-bigint",
    "tslib",
    "@types/node",
    "undici-types",
    "typescript",
  ]) {
    symlinkSync(project("node_modules", name), join(modules, name));
  }
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  return folder;
}

interface Packed {
  readonly filename: string;
  readonly files: { path: string }[];
}

const USE = `
const client = new PolarwayClient({ host: "127.0.0.1:1" });
client.load("t").catch(async (error) => {
  console.log(error instanceof PolarwayError, error.code);
  await client.close();
});
`;

test("the packed package is imported and required in an empty project, and programs of it end", async (t) => {
  const folder = await installed(t);
  writeFileSync(join(folder, "module.mjs"), `import { PolarwayClient, PolarwayError } from "@polarway/client";${USE}`);
  writeFileSync(
    join(folder, "common.cjs"),
    `const { PolarwayClient, PolarwayError } = require("@polarway/client");${USE}`,
  );
  writeFileSync(
    join(folder, "both.mjs"),
    `import { createRequire } from "node:module";
     import * as imported from "@polarway/client";
     const required = createRequire(import.meta.url)("@polarway/client");
     const error = new required.PolarwayError("NOT_FOUND", "gone");
     const batch = new required.BatchError("UNKNOWN", "some", { published: {}, errors: {} });
     console.log(imported.PolarwayError !== required.PolarwayError, error instanceof imported.PolarwayError,
       batch instanceof imported.PolarwayError, error instanceof imported.BatchError, {} instanceof imported.PolarwayError);`,
  );
  for (const [file, expected] of [
    ["module.mjs", "true UNAVAILABLE\n"],
    ["common.cjs", "true UNAVAILABLE\n"],
    ["both.mjs", "true true true false false\n"],
  ] as const) {
    const { stdout, stderr } = await run(process.execPath, [file], { cwd: folder, timeout: 60_000 });
    assert.deepEqual([stdout, stderr], [expected, ""], file);
  }
});

test("its types resolve with the resolutions node16, nodenext and bundler, from modules and from CommonJS", async (t) => {
  const folder = await installed(t);
  const program = `import { PolarwayClient, type Published, type PolarwayTable } from "@polarway/client";
export async function use(client: PolarwayClient, signal: AbortSignal): Promise<Published> {
  const table: PolarwayTable = await client.load("t", { columns: ["a"], signal });
  const rows: { a: bigint }[] = table.toRows<{ a: bigint }>();
  for await (const piece of client.loadStream("t")) {
    rows.push(...piece.toRows<{ a: bigint }>());
  }
  // @ts-expect-error - there is no such option.
  await client.load("t", { colums: [] });
  return client.store("u", { a: [1n], b: new Float32Array(1) }, { mode: "create" });
}
`;
  writeFileSync(join(folder, "module.mts"), program);
  writeFileSync(join(folder, "common.cts"), program);
  for (const [module, resolution, files] of [
    ["node16", "node16", ["module.mts", "common.cts"]],
    ["nodenext", "nodenext", ["module.mts", "common.cts"]],
    ["esnext", "bundler", ["module.mts"]],
  ] as const) {
    const flags = [
      "--noEmit",
      "--strict",
      "--skipLibCheck",
      "--target",
      "es2022",
      "--lib",
      "es2023,esnext.disposable",
      "--types",
      "node",
    ];
    const tsc = project("node_modules", ".bin", "tsc");
    const check = run(tsc, [...flags, "--module", module, "--moduleResolution", resolution, ...files], {
      cwd: folder,
      timeout: 120_000,
    });
    await assert.doesNotReject(check, resolution);
  }
});

test("the version is that of the package", () => {
  assert.equal(VERSION, manifest.version);
});
