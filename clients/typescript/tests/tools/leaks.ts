// What a file of tests leaves behind.

import assert from "node:assert/strict";
import { setTimeout as sleep } from "node:timers/promises";

/** Fails if sockets or timers are left, once what was closed had time to go. */
export async function assertNothingIsLeft(): Promise<void> {
  const ours = () => process.getActiveResourcesInfo().filter((name) => /^(TCP|TLS|Timeout|Immediate)/.test(name));
  const deadline = performance.now() + 60_000;
  while (ours().length > 0 && performance.now() < deadline) {
    // This wait has a timer, which is no longer active when it is over.
    await sleep(10);
  }
  assert.deepEqual(ours(), []);
}
