// Expressions: pieces of SQL that become parts of a larger text. Each is checked to be exactly one expression.
//
// A piece is put into parentheses. The check makes sure that it can't end them: it is split into tokens as DuckDB does
// it, no quote, comment or bracket stays open, and no bracket closes one that the piece did not open. Text that is no
// expression in parentheses, such as `a FROM b`, passes the check and is an error of DuckDB.

import { invalidInput } from "../failure.js";
import { shown } from "../texts.js";
import type { Token } from "./tokens.js";
import { identifier, isSignificant, isWord, nameOf, tokensOf } from "./tokens.js";

// Words that begin a query and no expression.
const BEGIN_A_QUERY = [
  "SELECT",
  "FROM",
  "WITH",
  "VALUES",
  "TABLE",
  "PIVOT",
  "UNPIVOT",
  "DESCRIBE",
  "SHOW",
  "SUMMARIZE",
  "EXPLAIN",
  "CALL",
];

// Functions that make several columns of one expression.
const BECOME_SEVERAL = ["COLUMNS", "UNNEST", "UNPACK"];

const CLOSING: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };
const CLOSINGS = Object.values(CLOSING);

/**
 * The names of the columns that an item gives: one name, those of the table's columns (`*`), or some that are not
 * known.
 */
export type Names = { readonly name: string } | "all" | "unknown";

/** A column of a result. */
export interface Item {
  /** Its SQL in a list after SELECT. */
  readonly sql: string;
  readonly names: Names;
  /** The name that was given with AS. */
  readonly alias?: string;
}

/** Why a text is not what it should be. */
class Refused extends Error {}

/** An expression, in parentheses. One with a name is refused, as it has no use here. */
export function expression(text: string): string {
  return checked(text, (tokens) => {
    refuseAs(tokens);
    return inParentheses(text);
  });
}

/** An expression, or `expression AS name`. */
export function column(text: string): Item {
  return checked(text, (tokens) => {
    const position = positionOfAs(tokens);
    const as = tokens[position];
    if (as === undefined) {
      return { sql: inParentheses(text), names: ownNames(tokens) };
    }
    const behind = tokens.slice(position + 1);
    const [only] = behind;
    const alias = position > 0 && behind.length === 1 && only !== undefined ? nameOf(only) : undefined;
    if (alias === undefined) {
      throw new Refused("AS stands between an expression and one name, at the end");
    }
    if (alias === "") {
      throw new Refused("the name behind AS is empty");
    }
    const sql = `${inParentheses(text.slice(0, as.start))} AS ${identifier(alias)}`;
    return { sql, names: mayBeSeveral(tokens.slice(0, position)) ? "unknown" : { name: alias }, alias };
  });
}

/** An expression to sort by, with an optional ASC, DESC, NULLS FIRST or NULLS LAST. */
export function sortKey(text: string): string {
  return checked(text, (tokens) => {
    refuseAs(tokens);
    let rest = tokens;
    let suffix = "";
    const [before, last] = rest.slice(-2);
    if (rest.length > 1 && before !== undefined && last !== undefined && isWord(before, "NULLS")) {
      if (!(isWord(last, "FIRST") || isWord(last, "LAST"))) {
        throw new Refused("behind NULLS stands FIRST or LAST");
      }
      suffix = ` NULLS ${last.text.toUpperCase()}`;
      rest = rest.slice(0, -2);
    }
    const direction = rest.at(-1);
    if (direction !== undefined && (isWord(direction, "ASC") || isWord(direction, "DESC"))) {
      suffix = ` ${direction.text.toUpperCase()}${suffix}`;
      rest = rest.slice(0, -1);
    }
    const end = rest.at(-1);
    if (end === undefined) {
      throw new Refused("there is nothing to sort by");
    }
    return inParentheses(text.slice(0, endOf(end))) + suffix;
  });
}

/** A complete SELECT, without a semicolon at its end. */
export function statement(text: string): string {
  return orRefused(text, "a single SELECT", () => {
    const all = tokensOf(checkedText(text));
    checkEnds(all);
    const significant = all.filter(isSignificant);
    while (significant.at(-1)?.kind === "end") {
      significant.pop();
    }
    if (significant.some(({ kind }) => kind === "end")) {
      throw new Refused("a `;` ends it before its end");
    }
    checkCharacters(text, all);
    checkBrackets(significant);
    const last = significant.at(-1);
    if (last === undefined) {
      throw new Refused("it is empty");
    }
    return text.slice(0, endOf(last)).trimStart();
  });
}

/** What is made of the tokens of a text that can be one expression. */
function checked<T>(text: string, make: (tokens: readonly Token[]) => T): T {
  return orRefused(text, "a single expression", () => make(expressionTokens(checkedText(text))));
}

function orRefused<T>(text: unknown, wanted: string, make: () => T): T {
  try {
    return make();
  } catch (error) {
    throw error instanceof Refused ? invalidInput(`${shown(text)} is not ${wanted}: ${error.message}`) : error;
  }
}

function checkedText(text: unknown): string {
  if (typeof text !== "string") {
    throw new Refused("it is no text");
  }
  return text;
}

/** The tokens of a text, unless it could end the parentheses around it or is not one expression. */
function expressionTokens(text: string): Token[] {
  const all = tokensOf(text);
  checkEnds(all);
  checkCharacters(text, all);
  const comment = all.find(({ kind }) => kind === "comment");
  if (comment !== undefined) {
    throw new Refused(`a comment, ${shown(comment.text)}, has no place in it`);
  }
  const significant = all.filter(isSignificant);
  if (significant.some(({ kind }) => kind === "end")) {
    throw new Refused("a `;` would end the whole query");
  }
  checkBrackets(significant);
  if (outsideOfBrackets(significant).some(([, token]) => token.text === ",")) {
    throw new Refused("a `,` begins another one");
  }
  const [first] = significant;
  if (first === undefined) {
    throw new Refused("it is empty");
  }
  if (BEGIN_A_QUERY.some((word) => isWord(first, word))) {
    throw new Refused(`a query, such as what ${first.text} begins, stands in parentheses`);
  }
  return significant;
}

/** Refuses quotes and comments that don't end. */
function checkEnds(tokens: readonly Token[]): void {
  const open = tokens.find(({ isOpen }) => isOpen);
  if (open !== undefined) {
    throw new Refused(`what begins with ${shown(open.text)} does not end`);
  }
}

const QUOTED = ["text", "quotedName", "comment"];
const RUN_ON = ["word", "number", "text", "quotedName"];

/** Refuses characters of which it is not certain where DuckDB ends a token, and those that can't be sent. */
function checkCharacters(text: string, tokens: readonly Token[]): void {
  if (text.includes("\0")) {
    throw new Refused("it holds a NUL character");
  }
  if (!text.isWellFormed()) {
    throw new Refused("it has half of a character");
  }
  for (const { kind, text: own } of tokens) {
    // Letters, the marks on them, and numbers.
    const strange = QUOTED.includes(kind) ? null : /[^\p{L}\p{M}\p{N}\x00-\x7f]/u.exec(own);
    if (strange !== null) {
      throw new Refused(`'${strange[0]}' stands outside of quotes; a name goes into double quotes`);
    }
  }
  for (const [index, before] of tokens.entries()) {
    const behind = tokens[index + 1];
    if (before.kind === "number" && behind !== undefined && RUN_ON.includes(behind.kind)) {
      throw new Refused(`${shown(before.text)} runs on into ${shown(behind.text)}`);
    }
  }
}

/** Refuses brackets that don't go in pairs. */
function checkBrackets(tokens: readonly Token[]): void {
  const missing: string[] = [];
  for (const { text } of tokens) {
    const closing = CLOSING[text];
    if (closing !== undefined) {
      missing.push(closing);
    } else if (CLOSINGS.includes(text) && missing.pop() !== text) {
      throw new Refused(`a \`${text}\` closes what it does not open`);
    }
  }
  const last = missing.at(-1);
  if (last !== undefined) {
    throw new Refused(`a \`${last}\` is missing`);
  }
}

/** The tokens outside of brackets, each with its index. All brackets must be in pairs. */
function outsideOfBrackets(tokens: readonly Token[]): (readonly [number, Token])[] {
  const outside: (readonly [number, Token])[] = [];
  let depth = 0;
  for (const [index, token] of tokens.entries()) {
    depth -= CLOSINGS.includes(token.text) ? 1 : 0;
    if (depth === 0) {
      outside.push([index, token]);
    }
    depth += CLOSING[token.text] === undefined ? 0 : 1;
  }
  return outside;
}

/** The index of the first AS outside of brackets, or -1. */
function positionOfAs(tokens: readonly Token[]): number {
  return outsideOfBrackets(tokens).find(([, token]) => isWord(token, "AS"))?.[0] ?? -1;
}

function refuseAs(tokens: readonly Token[]): void {
  if (positionOfAs(tokens) >= 0) {
    throw new Refused("a name behind AS is of no use here");
  }
}

/** The names that DuckDB gives an expression without AS. */
function ownNames(tokens: readonly Token[]): Names {
  if (tokens.length === 1 && tokens[0]?.text === "*") {
    return "all";
  }
  const isPath = tokens.every((token, index) => (index % 2 === 1 ? token.text === "." : nameOf(token) !== undefined));
  const last = tokens.at(-1);
  const name = isPath && last !== undefined ? nameOf(last) : undefined;
  return name === undefined ? "unknown" : { name };
}

function mayBeSeveral(before: readonly Token[]): boolean {
  return (
    before[0]?.text === "*" ||
    before.at(-1)?.text === "*" ||
    before.some((token) => BECOME_SEVERAL.some((word) => isWord(token, word)))
  );
}

function endOf({ start, text }: Token): number {
  return start + text.length;
}

function inParentheses(text: string): string {
  return `(${text.trim()})`;
}
