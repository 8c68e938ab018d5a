// A reporter for `node --test`: what fails, and at the end a line with the counts in the form of `cargo test`, which
// `cargo xtask test` adds up.

/** The events of a run as text. */
export default async function* reporter(events) {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  const began = performance.now();
  for await (const { type, data } of events) {
    if (type === "test:pass" && data.skip !== undefined) {
      counts.skipped += 1;
    } else if (type === "test:pass" && isTest(data)) {
      counts.passed += 1;
    } else if (type === "test:fail") {
      const isCause = data.details?.error?.failureType !== "subtestsFailed";
      if (isCause) {
        counts.failed += 1;
        yield `FAILED ${data.file ?? ""}: ${data.name}\n${text(data.details?.error)}\n`;
      }
    } else if (type === "test:stderr" || type === "test:stdout") {
      yield data.message;
    }
  }
  const seconds = ((performance.now() - began) / 1000).toFixed(2);
  const verdict = counts.failed === 0 ? "ok" : "FAILED";
  const { passed, failed, skipped } = counts;
  yield `\ntest result: ${verdict}. ${passed} passed; ${failed} failed; ${skipped} ignored; 0 measured; 0 filtered out; ` +
    `finished in ${seconds}s\n`;
}

/** Files and groups of tests are no tests. */
function isTest({ details, name }) {
  return details?.type !== "suite" && !name.endsWith(".test.js");
}

function text(error) {
  const cause = error?.cause ?? error;
  return cause?.stack ?? String(cause?.message ?? cause);
}
