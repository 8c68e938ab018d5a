// Builds the tests and runs them: all of them, or those of the named files (`npm test -- load store`).
import { execFileSync, spawnSync } from "node:child_process";
import { readdirSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const project = join(dirname(fileURLToPath(import.meta.url)), "..");
rmSync(join(project, "build"), { recursive: true, force: true });
execFileSync(join(project, "node_modules", ".bin", "tsc"), ["-p", "tests"], { cwd: project, stdio: "inherit" });
// Some tests use what is published.
execFileSync(process.execPath, [join(project, "scripts", "build.mjs")], { cwd: project, stdio: "inherit" });
const folder = join(project, "build", "tests");
const named = process.argv.slice(2).map((name) => `${name}.test.js`);
const files = readdirSync(folder).filter(
  (name) => name.endsWith(".test.js") && (named.length === 0 || named.includes(name)),
);
const reporter = join(project, "scripts", "reporter.mjs");
const flags = [
  "--enable-source-maps",
  "--expose-gc",
  "--test",
  "--test-concurrency=4",
  "--test-timeout=300000",
  `--test-reporter=${reporter}`,
];
const run = spawnSync(process.execPath, [...flags, ...files.map((name) => join(folder, name))], {
  cwd: project,
  stdio: "inherit",
});
process.exitCode = run.status ?? 1;
