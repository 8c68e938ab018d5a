"""SQL as text: split into tokens as DuckDB splits it, and names and texts put into quotes.

This module knows where a token of DuckDB's dialect begins and ends: strings of all forms, quoted names, comments,
numbers, parameters. It does not know the grammar, or what a name means. Each rule is that of DuckDB's scanner. Where
the two differ, a text could hide from one what the other reads.
"""

from __future__ import annotations

import dataclasses
import enum
import re
from collections.abc import Iterator
from typing import Final

# DuckDB's whitespace: some of Unicode's, and some characters that are not whitespace in Unicode.
_WIDE_SPACES: Final = "\xa0\u2000-\u200d\u202f\u205f\u2060\u3000\ufeff"
_SPACE: Final = rf"[ \t\n\r\f{_WIDE_SPACES}]"
# Letters, `_` and everything that is not ASCII, written as what does not belong.
_NAME_START: Final = rf"[^\x00-\x40\x5b-\x5e\x60\x7b-\x7f{_WIDE_SPACES}]"
_NAME_PART: Final = rf"[^\x00-\x23\x25-\x2f\x3a-\x40\x5b-\x5e\x60\x7b-\x7f{_WIDE_SPACES}]"
_DIGITS: Final = r"[0-9]++(?:_[0-9]++)*+"

# Tokens that one pattern finds whole. What begins with a quote, a comment or a dollar is found by `_scan_long`.
_SHORT: Final = re.compile(
    rf"""(?P<SPACE>{_SPACE}++)
    |(?P<COMMENT>--[^\n\r]*+)
    |(?P<PARAMETER>\?(?:{_DIGITS})?|\$(?![eE]')(?:{_NAME_START}{_NAME_PART}*+|{_DIGITS}))
    |(?P<END>;)
    |(?P<NUMBER>(?:{_DIGITS}(?:\.(?:{_DIGITS})?+)?+|\.{_DIGITS})(?:[eE][+-]?{_DIGITS})?+)
    |(?P<WORD>{_NAME_START}{_NAME_PART}*+)
    |(?P<SYMBOL>.)""",
    re.DOTALL | re.VERBOSE,
)
_PLAIN_QUOTED: Final = re.compile(r"'[^']*+(?:''[^']*+)*+'")
_ESCAPED_QUOTED: Final = re.compile(r"'[^'\\]*+(?:(?:''|\\.)[^'\\]*+)*+'", re.DOTALL)
_QUOTED_NAME: Final = re.compile(r'"[^"]*+(?:""[^"]*+)*+"')
# What is between a string's end and the quote that continues it: with a line break in it, the string goes on.
_GAP: Final = re.compile(rf"(?:{_SPACE}|--[^\n\r]*+)*+(?=')")
_DOLLAR_TAG: Final = re.compile(rf"\$(?:{_NAME_START}(?:{_NAME_START}|[0-9])*+)?\$")
_COMMENT_MARK: Final = re.compile(r"/\*|\*/")


class Kind(enum.Enum):
    """The kind of a token."""

    SPACE = enum.auto()
    COMMENT = enum.auto()
    # A keyword or an unquoted name.
    WORD = enum.auto()
    QUOTED_NAME = enum.auto()
    # A string of any form, with its continuation lines.
    TEXT = enum.auto()
    # `?`, `?1`, `$1` or `$name`.
    PARAMETER = enum.auto()
    NUMBER = enum.auto()
    # The semicolon that ends a statement.
    END = enum.auto()
    # Any other character.
    SYMBOL = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """A token of a text."""

    kind: Kind
    text: str
    # Where it begins in the whole text.
    start: int
    # Whether its quote or comment is not closed.
    is_open: bool = False

    @property
    def is_significant(self) -> bool:
        """Whether it is part of a statement, and not something between or before its parts."""
        return self.kind is not Kind.SPACE and self.kind is not Kind.COMMENT

    @property
    def end(self) -> int:
        """The position after it, in the whole text."""
        return self.start + len(self.text)

    def is_word(self, word: str) -> bool:
        """Whether it is this word in capital letters, ignoring case."""
        # Some letters outside of ASCII have capitals in ASCII.
        return self.kind is Kind.WORD and self.text.isascii() and self.text.upper() == word

    def name(self) -> str | None:
        """The name without quotes; `None` if it is not a name."""
        if self.kind is Kind.QUOTED_NAME:
            return self.text[1:-1].replace('""', '"')
        return self.text if self.kind is Kind.WORD else None


def tokens(text: str) -> Iterator[Token]:
    """Splits a text into tokens, which cover all of it."""
    position = 0
    while position < len(text):
        token = _scan_long(text, position) or _scan_short(text, position)
        yield token
        position = token.end


def identifier(name: str) -> str:
    """A name in double quotes, valid for any name."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """A text in single quotes."""
    return "'" + text.replace("'", "''") + "'"


def folded(name: str) -> bytes:
    """What names have in common that differ in the case of ASCII letters only: they are one name in SQL."""
    return name.encode("utf-8", "surrogatepass").lower()


def _scan_short(text: str, position: int) -> Token:
    match = _SHORT.match(text, position)
    # The last pattern matches any character.
    assert match is not None
    assert match.lastgroup is not None
    return Token(Kind[match.lastgroup], match[0], position)


def _scan_long(text: str, position: int) -> Token | None:
    """The string, quoted name or block comment that begins here. If it has no end, it is the rest of the text."""
    first = text[position]
    if first == "'":
        return _token(Kind.TEXT, text, position, _string_end(_PLAIN_QUOTED, text, position))
    if first in "eE" and text.startswith("'", position + 1):
        return _token(Kind.TEXT, text, position, _string_end(_ESCAPED_QUOTED, text, position + 1))
    if first == '"':
        match = _QUOTED_NAME.match(text, position)
        return _token(Kind.QUOTED_NAME, text, position, match and match.end())
    if first == "$" and (tag := _DOLLAR_TAG.match(text, position)):
        start = text.find(tag[0], tag.end())
        return _token(Kind.TEXT, text, position, None if start < 0 else start + len(tag[0]))
    if text.startswith("/*", position):
        return _token(Kind.COMMENT, text, position, _comment_end(text, position))
    return None


def _token(kind: Kind, text: str, start: int, end: int | None) -> Token:
    return Token(kind, text[start:end], start, is_open=end is None)


def _string_end(pattern: re.Pattern[str], text: str, position: int) -> int | None:
    """Where a string ends whose quote is here, with all its continuations."""
    while match := pattern.match(text, position):
        gap = _GAP.match(text, match.end())
        if gap is None or ("\n" not in gap[0] and "\r" not in gap[0]):
            return match.end()
        position = gap.end()
    return None


def _comment_end(text: str, position: int) -> int | None:
    """Where the block comment ends that begins here. They nest."""
    depth = 0
    for mark in _COMMENT_MARK.finditer(text, position):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return None
