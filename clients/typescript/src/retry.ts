// When to try again: exponential backoff with full jitter, inside a deadline.
//
// "Full jitter" draws each wait evenly between zero and a bound that doubles; see Marc Brooker, "Exponential Backoff
// And Jitter", AWS Architecture Blog, 2015. Nothing here waits.

import type { Failure } from "./failure.js";
import { isOfBusyServer, isTransient } from "./failure.js";

// The bound of the first wait, which doubles with each.
const FIRST_MS = 50;
const LONGEST_MS = 2_000;

/** How often a call may break after the server began to work on it. One that breaks each time would break again. */
export interface Breaks {
  readonly most: number;
  /**
   * Whether they are counted from the beginning. Otherwise they are once the call's timeout has passed since it began:
   * before that they may be quick and many, as a balancer that has just lost its workers answers each try with an
   * error.
   */
  readonly countFromStart: boolean;
}

const BREAKS: Breaks = { most: 10, countFromStart: false };

/** What time it is, in milliseconds, and what is drawn for a wait, from 0 to 1. */
export interface Chance {
  readonly now: () => number;
  readonly random: () => number;
}

const CHANCE: Chance = { now: () => performance.now(), random: Math.random };

/** The tries of one call. */
export class Tries {
  readonly timeoutMs: number;
  readonly #breaks: Breaks;
  readonly #chance: Chance;
  // When the call began, or last made progress.
  #began: number;
  #deadline: number;
  #failed = 0;
  #breaksLeft: number;
  #isGoing = false;
  /** What a busy server said to the last try, if this one has not got going. */
  #busy: Failure | undefined;

  constructor(timeoutMs: number, breaks: Breaks = BREAKS, chance: Chance = CHANCE) {
    this.timeoutMs = timeoutMs;
    this.#breaks = breaks;
    this.#chance = chance;
    this.#began = chance.now();
    this.#deadline = this.#began + timeoutMs;
    this.#breaksLeft = breaks.most;
  }

  /** How many tries there have been since the call last made progress. */
  get count(): number {
    return this.#failed + 1;
  }

  /** How much time is left. */
  leftMs(): number {
    return Math.max(0, this.#deadline - this.#chance.now());
  }

  /** The server works on the call: the timeout starts again. */
  going(): void {
    this.#deadline = this.#chance.now() + this.timeoutMs;
    this.#isGoing = true;
    this.#busy = undefined;
  }

  /** The call made progress that a retry keeps. */
  progress(): void {
    this.going();
    this.#began = this.#chance.now();
    this.#failed = 0;
    this.#breaksLeft = this.#breaks.most;
  }

  /** How long to wait before the next try; `undefined` if a retry can't help or there is no time for one. */
  waitMs(failure: Failure): number | undefined {
    if (!isTransient(failure)) {
      return undefined;
    }
    this.#busy = undefined;
    const wasGoing = this.#isGoing;
    this.#isGoing = false;
    if (isOfBusyServer(failure)) {
      this.#busy = failure;
      // A busy server has broken nothing: this is bounded by time only.
      this.#deadline = this.#began + this.timeoutMs;
    } else if (wasGoing && (this.#breaks.countFromStart || this.#chance.now() - this.#began >= this.timeoutMs)) {
      if (this.#breaksLeft === 0) {
        return undefined;
      }
      this.#breaksLeft -= 1;
    }
    const bound = Math.min(FIRST_MS * 2 ** this.#failed, LONGEST_MS);
    const wait = Math.max(bound * this.#chance.random(), failure.retryDelayMs ?? 0);
    if (wait >= this.leftMs()) {
      return undefined;
    }
    this.#failed += 1;
    return wait;
  }

  /**
   * What the user is told of a call whose last try failed. If the time ended during that try, it is what a busy server said to
   * the one before: it tells more.
   */
  told(failure: Failure): Failure {
    const isLate = failure.code === "DEADLINE_EXCEEDED" && failure.reason === undefined;
    return isLate ? (this.#busy ?? failure) : failure;
  }
}
