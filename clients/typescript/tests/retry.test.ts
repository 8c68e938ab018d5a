// When a call is made again, with a clock and chances of the test's own.

import assert from "node:assert/strict";
import { test } from "node:test";
import type { Failure } from "../src/failure.js";
import { errorOf, failureOfStatus, isTransient } from "../src/failure.js";
import { REASONS } from "../src/generated/reasons.js";
import { PROTOCOL_REVISION } from "../src/generated/revision.js";
import { failureOfHttpStatus } from "../src/http2/status.js";
import { freshRequest } from "../src/requestId.js";
import type { Breaks } from "../src/retry.js";
import { Tries } from "../src/retry.js";
import { checkRevision } from "../src/revision.js";

const RESET: Failure = { code: "UNAVAILABLE", message: "reset" };

class Clock {
  ms = 0;

  tries(timeoutMs: number, breaks?: Breaks): Tries {
    return new Tries(timeoutMs, breaks, { now: () => this.ms, random: () => 0.5 });
  }

  /** Waits as the tries say, and tells whether there is another one. */
  after(tries: Tries, failure: Failure): boolean {
    const wait = tries.waitMs(failure);
    this.ms += wait ?? 0;
    return wait !== undefined;
  }
}

test("tries end with the deadline and not before", () => {
  const clock = new Clock();
  const tries = clock.tries(10_000);
  let count = 0;
  while (clock.after(tries, RESET)) {
    count += 1;
  }
  assert.ok(count > 5 && clock.ms <= 10_000, `${count} in ${clock.ms} ms`);
});

test("what does not pass is not tried again, and the server says how long to wait at least", () => {
  const clock = new Clock();
  const tries = clock.tries(10_000);
  assert.equal(tries.waitMs({ code: "NOT_FOUND", message: "no", reason: "UNKNOWN_DATASET" }), undefined);
  assert.equal(
    tries.waitMs({ code: "RESOURCE_EXHAUSTED", message: "busy", reason: "RESOURCE_EXHAUSTED", retryDelayMs: 3_000 }),
    3_000,
  );
});

test("a try that the time cuts off hides no busy server", () => {
  const clock = new Clock();
  const tries = clock.tries(10_000);
  const busy: Failure = { code: "RESOURCE_EXHAUSTED", message: "others run", reason: "RESOURCE_EXHAUSTED" };
  const late: Failure = { code: "DEADLINE_EXCEEDED", message: "the server did not answer within 10000 ms" };
  assert.ok(clock.after(tries, busy) && !clock.after(tries, late));
  assert.equal(tries.told(late), busy);
  // What the server said itself is newer, and so is that it began to work.
  const stopped: Failure = { ...late, reason: "DEADLINE_EXCEEDED" };
  assert.equal(tries.told(stopped), stopped);
  tries.going();
  assert.equal(tries.told(late), late);
  assert.ok(clock.after(tries, busy) && clock.after(tries, RESET));
  assert.equal(tries.told(late), late);
});

test("a call that breaks each time it got going is not made for ever", () => {
  const clock = new Clock();
  const tries = clock.tries(10_000, { most: 2, countFromStart: true });
  const results = [1, 2, 3].map(() => {
    tries.going();
    return clock.after(tries, RESET);
  });
  assert.deepEqual(results, [true, true, false]);
});

test("breaks are counted once the timeout has passed, and begin anew with progress", () => {
  const clock = new Clock();
  const tries = clock.tries(30_000);
  let breaks = 0;
  do {
    tries.going();
    breaks += 1;
  } while (clock.after(tries, RESET));
  assert.ok(breaks > 10 && clock.ms >= 30_000 && clock.ms <= 30_000 + 11 * 2_000, `${breaks} in ${clock.ms} ms`);
  const patient = clock.tries(1_000, { most: 2, countFromStart: true });
  for (let times = 0; times < 100; times += 1) {
    patient.progress();
    assert.ok(clock.after(patient, RESET));
    assert.ok(patient.leftMs() > 0);
  }
});

test("to be turned away after waiting is bounded by time alone", () => {
  const clock = new Clock();
  const tries = clock.tries(60_000, { most: 2, countFromStart: true });
  let count = 0;
  do {
    tries.going();
    count += 1;
  } while (clock.after(tries, { code: "RESOURCE_EXHAUSTED", message: "others run", reason: "RESOURCE_EXHAUSTED" }));
  assert.ok(count > 10 && clock.ms <= 60_000, `${count} in ${clock.ms} ms`);
});

test("every reason is retried as the list says, and one of a later version is not", () => {
  for (const [reason, { retry }] of Object.entries(REASONS)) {
    const failure: Failure = { code: "INTERNAL", message: "so it is", reason };
    assert.equal(isTransient(failure), retry, reason);
    const error = errorOf(failure, "id");
    assert.deepEqual(
      [error.reason, error.retryable, error.requestId, error.message],
      [reason, retry, "id", "so it is"],
    );
  }
  assert.equal(isTransient({ code: "UNAVAILABLE", message: "wait a fortnight", reason: "MOON_IS_FULL" }), false);
  assert.equal(isTransient({ code: "UNAVAILABLE", message: "no trust", origin: "tls" }), false);
});

test("an answer of a proxy is told apart from one of a server", () => {
  const address = { host: "here", port: 1, isSecure: false };
  const failures = [502, 503, 504, 404, 401].map((status) => failureOfHttpStatus(status, address));
  assert.deepEqual(failures.map(isTransient), [true, true, true, false, false]);
  assert.equal(failures[0]?.message, "a proxy before the server at here:1 answered 502");
});

test("details that can't be read are as good as none", () => {
  const failure = failureOfStatus("NOT_FOUND", "gone", Uint8Array.of(0xff, 0xff, 0xff));
  assert.deepEqual([failure.code, failure.message, failure.reason], ["NOT_FOUND", "gone", undefined]);
});

test("a server may be newer than its client and not older", () => {
  const answer = (protocolRevision: number, oldestClientRevision: number) => ({
    serverVersion: "7.8.9",
    protocolRevision,
    oldestClientRevision,
  });
  checkRevision(answer(PROTOCOL_REVISION, PROTOCOL_REVISION));
  checkRevision(answer(PROTOCOL_REVISION + 5, 0));
  assert.throws(
    () => checkRevision(answer(PROTOCOL_REVISION - 1, 0)),
    /the server is older.*7\.8\.9.*Upgrade the server/,
  );
  assert.throws(
    () => checkRevision(answer(PROTOCOL_REVISION + 5, PROTOCOL_REVISION + 1)),
    /this client is older.*7\.8\.9.*Upgrade the client/,
  );
});

test("the id of a write is a UUID of version 7, which has its time", () => {
  const id = freshRequest(0x0123_4567_89ab);
  assert.match(id, /^01234567-89ab-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  assert.notEqual(id, freshRequest(0x0123_4567_89ab));
});
