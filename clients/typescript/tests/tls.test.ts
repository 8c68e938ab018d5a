// TLS, certificates of clients, and tokens, against servers that were set up as the documents say.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { inspect } from "node:util";
import { PolarwayClient } from "../src/index.js";
import { root } from "./tools/folders.js";
import { assertNothingIsLeft } from "./tools/leaks.js";
import { atEnd, clientOf, startServer, temporaryFolder } from "./tools/server.js";

const TOKEN = "your-secret-token";

/** The certificates that the page about TLS makes, in a folder, and those of another CA and for another host. */
function certificates(folder: string): void {
  const page = readFileSync(root("docs", "tls.md"), "utf8");
  const commands = /```sh\n(# A CA\.[\s\S]*?)```/.exec(page)?.[1] ?? "";
  const elsewhere = commands.replace("DNS:localhost,IP:127.0.0.1", "DNS:elsewhere.example");
  assert.notEqual(elsewhere, commands);
  for (const [name, script] of [
    [".", commands],
    ["stranger", commands],
    ["elsewhere", elsewhere],
  ] as const) {
    mkdirSync(join(folder, name), { recursive: true });
    execFileSync("sh", ["-e", "-c", script], { cwd: join(folder, name), stdio: "pipe", timeout: 60_000 });
  }
}

await test("encrypted connections, with and without certificates of the client", async (t) => {
  const end = atEnd(t);
  const folder = temporaryFolder(end);
  certificates(folder);
  const pem = (...path: string[]) => readFileSync(join(folder, ...path));
  const flags = (name: string) => [
    "--tls-cert",
    join(folder, name, "server.crt"),
    "--tls-key",
    join(folder, name, "server.key"),
  ];
  const encrypted = await startServer(end, flags("."));
  const elsewhere = await startServer(end, flags("elsewhere"));
  const mutual = await startServer(end, [...flags("."), "--tls-ca", join(folder, "ca.crt")], {
    POLARWAY_AUTH_TOKEN: TOKEN,
  });
  const plain = await startServer(end);
  const ca = pem("ca.crt");
  const identity = { cert: pem("client.crt"), key: pem("client.key") };

  await t.test("a server whose CA is trusted is called", async (t) => {
    for (const host of [
      encrypted.address,
      `https://${encrypted.address}`,
      `https://localhost:${encrypted.address.split(":")[1]}`,
    ]) {
      const client = clientOf(t, host, { tls: { ca } });
      assert.equal(await client.healthCheck(), "OK");
      await client.store("secret", { n: [1, 2] });
      assert.deepEqual((await client.load("secret")).toColumns(), { n: [1n, 2n] });
    }
  });

  await t.test("certificates of clients and tokens are sent where they are needed", async (t) => {
    const client = clientOf(t, mutual.address, { tls: { ca: String(ca), ...identity }, authToken: TOKEN });
    assert.equal((await client.query("SELECT 1 AS one")).numRows, 1);
    const withoutToken = clientOf(t, mutual.address, { tls: { ca, ...identity } });
    assert.equal(await withoutToken.healthCheck(), "OK");
    await assert.rejects(withoutToken.datasets(), { code: "UNAUTHENTICATED", reason: "MISSING_TOKEN" });
    const wrong = clientOf(t, mutual.address, { tls: { ca, ...identity }, authToken: "wrong" });
    await assert.rejects(wrong.datasets(), { code: "UNAUTHENTICATED", reason: "INVALID_TOKEN" });
  });

  await t.test("what is wrong with a secure connection is said, and not tried again", async (t) => {
    const stranger = { cert: pem("stranger", "client.crt"), key: pem("stranger", "client.key") };
    const cases: [string, object, RegExp][] = [
      [`https://${encrypted.address}`, {}, /does not trust the CA of the server's certificate/],
      [
        `https://${encrypted.address}`,
        { tls: { ca: pem("stranger", "ca.crt") } },
        /does not trust the CA|refuses the server's certificate/,
      ],
      [
        `https://${elsewhere.address}`,
        { tls: { ca: pem("elsewhere", "ca.crt") } },
        /the server's certificate is for another name/,
      ],
      [`https://${mutual.address}`, { tls: { ca } }, /the server refuses this client's certificate, or requires one/],
      [
        `https://${mutual.address}`,
        { tls: { ca, ...stranger } },
        /the server refuses this client's certificate, or requires one/,
      ],
      [`http://${encrypted.address}`, {}, /the server speaks TLS: use https/],
      [`https://${plain.address}`, { tls: { ca } }, /the server does not speak TLS: use http/],
    ];
    for (const [host, options, message] of cases) {
      const client = clientOf(t, host, { ...options, timeout: 60_000 });
      const said = await client.datasets().catch((error: unknown) => error);
      assert.match(String(said), /^PolarwayError: the connection to .* can't be made secure: /, host);
      assert.match(String(said), message, host);
      assert.equal((said as { retryable: boolean }).retryable, false);
    }
  });

  await t.test("a token is shown nowhere", async (t) => {
    const client = clientOf(t, mutual.address, { tls: { ca, ...identity }, authToken: TOKEN });
    assert.ok(!inspect(client, { depth: 10, showHidden: true }).includes(TOKEN));
    const error = await client.load("missing").catch((caught: unknown) => caught);
    assert.ok(!inspect(error, { depth: 10, showHidden: true }).includes(TOKEN));
  });
});

await test("addresses, tokens and certificates that can't be used are refused by name", async (t) => {
  const refused: [object, RegExp][] = [
    [{ host: "" }, /^"" names no host/],
    [{ host: "ftp://here" }, /"ftp:\/\/here" does not start with http:\/\/ or https:\/\//],
    [{ host: "http://" }, /"http:\/\/" names no host/],
    [{ host: "http://user@here" }, /has more than a host and a port/],
    [{ host: "http://here/path" }, /has more than a host and a port/],
    [{ host: "a b" }, /"a b" is no host/],
    [{ host: "here:0" }, /"here:0" has no port behind the colon/],
    [{ host: "here:70000" }, /has no port behind the colon/],
    [{ host: "::zz" }, /"::zz" is no host/],
    [{ host: "here:1", port: 2 }, /has the port 1, and the port 2 is given as well/],
    [{ host: [] }, /no server was named/],
    [{ host: 7 }, /7 is no text/],
    [{ port: 0 }, /0 is no port/],
    [{ port: "50052" }, /50052 is no port/],
    [{ timeout: 0 }, /0 is no timeout/],
    [{ timeout: Number.NaN }, /NaN is no timeout/],
    [{ timeout: "30" }, /30 is no timeout/],
    [{ authToken: "se\ncret" }, /^the token is empty, or has characters/],
    [{ authToken: "" }, /^the token is empty/],
    [{ hots: "a" }, /a client has no option "hots"/],
    [{ tls: { ca: "ca.pem" } }, /tls\.ca is no PEM: give the text of the file/],
    [{ tls: { cert: "-----BEGIN CERTIFICATE-----" } }, /a certificate needs its key/],
    [{ host: "http://here", tls: {} }, /nothing would be encrypted/],
  ];
  for (const [options, message] of refused) {
    assert.throws(
      () => new PolarwayClient(options),
      { name: "PolarwayError", code: "INVALID_ARGUMENT", message },
      JSON.stringify(options),
    );
  }
  const urls = (options: object) => new PolarwayClient(options).urls;
  assert.deepEqual(urls({ host: "here", port: 1 }), ["http://here:1"]);
  assert.deepEqual(urls({ host: ["::1", "[::1]:7", "https://There"] }), [
    "http://[::1]:50052",
    "http://[::1]:7",
    "https://There:443",
  ]);
  assert.deepEqual(urls({ host: "here", tls: {} }), ["https://here:50052"]);
  const before = { ...process.env };
  t.after(() => {
    process.env = before;
  });
  process.env["POLARWAY_URL"] = "http://one:1,https://two";
  assert.deepEqual(urls({}), ["http://one:1", "https://two:443"]);
});

await test("nothing is left when all clients are closed", assertNothingIsLeft);
