// The pages for users, and the promised document: their programs run as they stand, with the package that is published,
// and print what the pages say.

import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { test } from "node:test";
import { promisify } from "node:util";
import { project, root } from "./tools/folders.js";
import { atEnd, temporaryFolder, withServer } from "./tools/server.js";

const run = promisify(execFile);

// A program, and what it prints. Programs without that are not run.
const BLOCK = /(```js\n([\s\S]*?)```\n\n```text\n)([\s\S]*?)```\n/g;

const DOCUMENT = `
import { PolarwayClient } from '@polarway/client';
// Connect to server
const client = new PolarwayClient({
host: 'localhost',
port: 50052,
timeout: 30000
});
// Health check
const health = await client.healthCheck();
console.log(\`Server status: \${health}\`);
// Store data
await client.store('trades_20260203', {
symbol: ['BTC', 'ETH', 'SOL'],
price: [50000, 3000, 100]
});
// Load data
const loaded = await client.load('trades_20260203');
console.log(loaded);
`;

// The table that it stores lacks the column of its query.
const WITH_TIMESTAMP = `
await client.store('trades_20260203', {
symbol: ['BTC', 'ETH', 'SOL'],
price: [50000, 3000, 100],
timestamp: [1, 2, 3].map((hour) => new Date(Date.UTC(2026, 1, 3, hour))),
});
`;

const QUERY = `
// Execute query
const result = await client.query(\`
SELECT symbol, AVG(price) as avg_price
FROM parquet_scan('/data/cold/trades_*.parquet')
WHERE timestamp > '2026-02-01'
GROUP BY symbol
\`);
console.log(result);
`;

/**
 * Runs a program in a folder that has the package as users have it, and gives what it prints. It must end by itself.
 */
async function printed(t: TestContext, program: string, variables: Record<string, string>): Promise<string> {
  const folder = temporaryFolder(atEnd(t));
  mkdirSync(join(folder, "node_modules", "@polarway"), { recursive: true });
  symlinkSync(project(), join(folder, "node_modules", "@polarway", "client"));
  writeFileSync(join(folder, "program.mjs"), program);
  const { stdout } = await run(process.execPath, ["program.mjs"], {
    cwd: folder,
    env: { ...process.env, ...variables },
    timeout: 120_000,
  });
  return stdout;
}

await withServer(async ({ address, folder }) => {
  const [, port = ""] = address.split(":");
  const here = (program: string) => program.replaceAll("50052", port).replaceAll("/data/cold", join(folder, "cold"));

  for (const page of [root("docs", "typescript.md"), project("README.md")]) {
    await test(`the programs of ${page.slice(root().length)} print what it says`, async (t) => {
      const text = readFileSync(page, "utf8");
      const outputs: string[] = [];
      for (const [, , program = ""] of text.matchAll(BLOCK)) {
        outputs.push(await printed(t, here(program), { POLARWAY_URL: `http://${address}` }));
      }
      const executed = text.replace(BLOCK, (_, before: string) => `${before}${outputs.shift()}\`\`\`\n`);
      if (process.env["UPDATE_DOCS"] !== undefined) {
        writeFileSync(page, executed);
      }
      assert.equal(executed, text, "UPDATE_DOCS=1 writes what is printed into the page");
    });
  }

  await test("the document's lines run as they stand", async (t) => {
    const said = await printed(t, here(DOCUMENT + WITH_TIMESTAMP + QUERY), {});
    const expected = [/^Server status: OK\n/, /│ BTC {4}│ 50000 │/, /│ symbol │ avg_price │/, /│ ETH {4}│ {6}3000 │/];
    for (const line of expected) {
      assert.match(said, line);
    }
  });
});
