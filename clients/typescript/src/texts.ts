// Texts that users give.

import { invalidInput } from "./failure.js";

/** A text that can be sent. */
export function textOf(what: string, text: unknown): string {
  if (typeof text !== "string") {
    throw invalidInput(`${shown(text)} is not ${what}: give a text`);
  }
  if (!text.isWellFormed()) {
    throw invalidInput(`${shown(text)} is not ${what}: it has half of a character`);
  }
  return text;
}

/** The name of a dataset that can be sent. */
export function datasetName(name: unknown): string {
  return textOf("the name of a dataset", name);
}

// How much of a text a message shows.
const SHOWN_CHARACTERS = 200;

/** A value for a message, cut if it is long. */
export function shown(value: unknown): string {
  if (typeof value !== "string") {
    return String(value).slice(0, SHOWN_CHARACTERS);
  }
  const isLong = value.length > SHOWN_CHARACTERS;
  return JSON.stringify(isLong ? value.slice(0, SHOWN_CHARACTERS) : value) + (isLong ? "…" : "");
}
