// SQL as text: split into tokens as DuckDB splits it, and names and texts put into quotes.
//
// This module knows where a token of DuckDB's dialect begins and ends: strings of all forms, quoted names, comments,
// numbers, parameters. It does not know the grammar, or what a name means. Each rule is that of DuckDB's scanner. Where
// the two differ, a text could hide from one what the other reads.

/**
 * The kind of a token: `word` is a keyword or an unquoted name, `text` a string of any form with its continuation
 * lines, `end` the semicolon that ends a statement, `symbol` any other character.
 */
export type TokenKind =
  | "space"
  | "comment"
  | "word"
  | "quotedName"
  | "text"
  | "parameter"
  | "number"
  | "end"
  | "symbol";

/** A token of a text. */
export interface Token {
  readonly kind: TokenKind;
  readonly text: string;
  /** Where it begins in the whole text. */
  readonly start: number;
  /** Whether its quote or comment is not closed. */
  readonly isOpen: boolean;
}

// DuckDB's whitespace: some of Unicode's, and some characters that are not whitespace in Unicode.
const WIDE_SPACES = "\\xa0\\u2000-\\u200d\\u202f\\u205f\\u2060\\u3000\\ufeff";
const SPACES = sticky(`[ \\t\\n\\r\\f${WIDE_SPACES}]+`);
const LINE_COMMENT = sticky("--[^\\n\\r]*");
// Letters, `_` and everything that is not ASCII, written as what does not belong.
const NAME_START = `[^\\x00-\\x40\\x5b-\\x5e\\x60\\x7b-\\x7f${WIDE_SPACES}]`;
const NAME_PART = `[^\\x00-\\x23\\x25-\\x2f\\x3a-\\x40\\x5b-\\x5e\\x60\\x7b-\\x7f${WIDE_SPACES}]`;
const DIGITS = "[0-9]+(?:_[0-9]+)*";

// Tokens that one pattern finds whole, in the order in which they are tried.
const SHORT: readonly (readonly [TokenKind, RegExp])[] = [
  ["space", SPACES],
  ["comment", LINE_COMMENT],
  ["parameter", sticky(`\\?(?:${DIGITS})?|\\$(?![eE]')(?:${NAME_START}${NAME_PART}*|${DIGITS})`)],
  ["end", sticky(";")],
  ["number", sticky(`(?:${DIGITS}(?:\\.(?:${DIGITS})?)?|\\.${DIGITS})(?:[eE][+-]?${DIGITS})?`)],
  ["word", sticky(`${NAME_START}${NAME_PART}*`)],
];
const DOLLAR_TAG = sticky(`\\$(?:${NAME_START}(?:${NAME_START}|[0-9])*)?\\$`);

function sticky(pattern: string): RegExp {
  return new RegExp(pattern, "y");
}

function matchAt(pattern: RegExp, text: string, position: number): string | undefined {
  pattern.lastIndex = position;
  return pattern.exec(text)?.[0];
}

/** Splits a text into tokens, which cover all of it. */
export function tokensOf(text: string): Token[] {
  const tokens: Token[] = [];
  for (let position = 0; position < text.length; ) {
    const token = scanLong(text, position) ?? scanShort(text, position);
    tokens.push(token);
    position = token.start + token.text.length;
  }
  return tokens;
}

/** Whether it is part of a statement, and not something between or before its parts. */
export function isSignificant({ kind }: Token): boolean {
  return kind !== "space" && kind !== "comment";
}

/** Whether it is this word, which is given in capital letters, in any case. */
export function isWord({ kind, text }: Token, word: string): boolean {
  // Some letters outside of ASCII have capitals in ASCII.
  return kind === "word" && /^[\x00-\x7f]*$/.test(text) && text.toUpperCase() === word;
}

/** The name without quotes; `undefined` if it is not a name. */
export function nameOf({ kind, text }: Token): string | undefined {
  if (kind === "quotedName") {
    return text.slice(1, -1).replaceAll('""', '"');
  }
  return kind === "word" ? text : undefined;
}

/** A name in double quotes, valid for any name. */
export function identifier(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text in single quotes. */
export function literal(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

/** What names have in common that differ in the case of ASCII letters only: they are one name in SQL. */
export function folded(name: string): string {
  return name.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function scanShort(text: string, position: number): Token {
  for (const [kind, pattern] of SHORT) {
    const found = matchAt(pattern, text, position);
    if (found !== undefined && found.length > 0) {
      return { kind, text: found, start: position, isOpen: false };
    }
  }
  return { kind: "symbol", text: text.charAt(position), start: position, isOpen: false };
}

/** The string, quoted name or block comment that begins here. If it has no end, it is the rest of the text. */
function scanLong(text: string, position: number): Token | undefined {
  switch (text.charAt(position)) {
    case "'":
      return token("text", text, position, stringEnd(text, position, false));
    case "e":
    case "E":
      return text.charAt(position + 1) === "'"
        ? token("text", text, position, stringEnd(text, position + 1, true))
        : undefined;
    case '"':
      return token("quotedName", text, position, quotedEnd(text, position, '"', false));
    case "$": {
      const tag = matchAt(DOLLAR_TAG, text, position);
      if (tag === undefined) {
        return undefined;
      }
      const end = text.indexOf(tag, position + tag.length);
      return token("text", text, position, end < 0 ? undefined : end + tag.length);
    }
    case "/":
      return text.startsWith("/*", position) ? token("comment", text, position, commentEnd(text, position)) : undefined;
    default:
      return undefined;
  }
}

function token(kind: TokenKind, text: string, start: number, end: number | undefined): Token {
  return { kind, text: text.slice(start, end), start, isOpen: end === undefined };
}

/** Where a string ends whose quote is here, with all its continuations. */
function stringEnd(text: string, position: number, hasEscapes: boolean): number | undefined {
  let begin = position;
  while (true) {
    const end = quotedEnd(text, begin, "'", hasEscapes);
    if (end === undefined) {
      return undefined;
    }
    const next = continuation(text, end);
    if (next === undefined) {
      return end;
    }
    begin = next;
  }
}

/** Where the quote is that continues a string that ends here: with a line break before it, the string goes on. */
function continuation(text: string, end: number): number | undefined {
  let position = end;
  while (true) {
    const skipped = matchAt(SPACES, text, position) ?? matchAt(LINE_COMMENT, text, position);
    if (skipped === undefined) {
      break;
    }
    position += skipped.length;
  }
  return text.charAt(position) === "'" && /[\n\r]/.test(text.slice(end, position)) ? position : undefined;
}

/**
 * Where what is quoted from here ends. A quote that is written twice does not end it, nor does one behind a backslash.
 */
function quotedEnd(text: string, position: number, quote: string, hasEscapes: boolean): number | undefined {
  for (let at = position + 1; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (hasEscapes && character === "\\") {
      at += 1;
    } else if (character === quote) {
      if (text.charAt(at + 1) !== quote) {
        return at + 1;
      }
      at += 1;
    }
  }
  return undefined;
}

/** Where the block comment ends that begins here. They nest. */
function commentEnd(text: string, position: number): number | undefined {
  const marks = /\/\*|\*\//g;
  marks.lastIndex = position;
  let depth = 0;
  for (let mark = marks.exec(text); mark !== null; mark = marks.exec(text)) {
    depth += mark[0] === "/*" ? 1 : -1;
    if (depth === 0) {
      return marks.lastIndex;
    }
  }
  return undefined;
}
