// Waits that end: with a time, or with a signal.

import { setMaxListeners } from "node:events";

// A timer that is so late was held up by work of the program's own, which blocked the event loop.
const BLOCKED_MS = 500;

/**
 * Calls back after so many milliseconds in which the event loop ran, and returns what calls this off.
 *
 * A program that computes for seconds also stops the reading of its connections. What arrived meanwhile is read only
 * after the timers that are due. So a timer that is late waits once more.
 */
export function after(ms: number, callback: () => void): () => void {
  let due = performance.now() + ms;
  let timer = setTimeout(tick, ms);
  function tick(): void {
    const now = performance.now();
    if (now - due > BLOCKED_MS) {
      due = now + ms;
      timer = setTimeout(tick, ms);
    } else {
      callback();
    }
  }
  return () => clearTimeout(timer);
}

/** Waits so many milliseconds, or rejects with the reason of the signal when it is aborted. */
export async function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  signal?.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    function abort(): void {
      clearTimeout(timer);
      reject(signal?.reason);
    }
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** Many calls may have one signal: that is no leak, of which Node.js would warn. */
export function allowManyListeners(signal: AbortSignal): void {
  setMaxListeners(0, signal);
}
