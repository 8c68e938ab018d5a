"""Expressions: pieces of SQL that become parts of a larger text. Each is checked to be exactly one expression.

A piece is put into parentheses. The check makes sure that it can't end them: it is split into tokens as DuckDB does it,
no quote, comment or bracket stays open, and no bracket closes one that the piece did not open. Text that is no
expression in parentheses, such as `a FROM b`, passes the check and is an error of DuckDB.
"""

from __future__ import annotations

import dataclasses
import enum
import json
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Final, NoReturn

import polars as pl

from polarway import _arguments
from polarway._sql import Kind, Token, identifier, tokens
from polarway.errors import InvalidInput

# How much of a text a message shows.
_SHOWN_CHARACTERS: Final = 200

# Words that begin a query and no expression.
_BEGIN_A_QUERY: Final = (
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
)

# Functions that make several columns of one expression.
_BECOME_SEVERAL: Final = ("COLUMNS", "UNNEST", "UNPACK")

_CLOSING: Final = {"(": ")", "[": "]", "{": "}"}


class Names(enum.Enum):
    """The names of the columns that an item gives, where it is not one known name."""

    # The names of the table's columns: the item is `*`.
    ALL = enum.auto()
    UNKNOWN = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Column:
    """A column of a result."""

    # Its SQL in a list after SELECT.
    sql: str
    # Its name, if the text shows it.
    names: str | Names
    # The name that was given with AS.
    alias: str | None = None


class _Refused(Exception):
    """Why a text is not what it should be."""


def expression(text: str) -> str:
    """An expression, in parentheses.

    Raises:
        InvalidInput: Text that is not one expression, or an expression with a name, which has no use here.
    """
    piece = _Piece(text)
    if piece.position_of_as() is not None:
        piece.refuse("a name behind AS is of no use here")
    return _in_parentheses(text)


def column(text: str) -> Column:
    """An expression, or `expression AS name`.

    Raises:
        InvalidInput: Text that is neither.
    """
    piece = _Piece(text)
    position = piece.position_of_as()
    if position is None:
        return Column(_in_parentheses(text), piece.own_names())
    behind = piece.tokens[position + 1 :]
    alias = behind[0].name() if position > 0 and len(behind) == 1 else None
    if alias is None:
        piece.refuse("AS stands between an expression and one name, at the end")
    if not alias:
        piece.refuse("the name behind AS is empty")
    before = _in_parentheses(text[: piece.tokens[position].start])
    names = Names.UNKNOWN if piece.may_be_several(position) else alias
    return Column(f"{before} AS {identifier(alias)}", names, alias)


def sort_key(text: str) -> str:
    """An expression to sort by, with an optional ASC, DESC, NULLS FIRST or NULLS LAST.

    Raises:
        InvalidInput: Text that is no such expression.
    """
    piece = _Piece(text)
    if piece.position_of_as() is not None:
        piece.refuse("a name behind AS is of no use here")
    rest = piece.tokens
    suffix = ""
    if len(rest) > 1 and rest[-2].is_word("NULLS"):
        if not (rest[-1].is_word("FIRST") or rest[-1].is_word("LAST")):
            piece.refuse("behind NULLS stands FIRST or LAST")
        suffix = f" NULLS {rest[-1].text.upper()}"
        rest = rest[:-2]
    if rest and (rest[-1].is_word("ASC") or rest[-1].is_word("DESC")):
        suffix = f" {rest[-1].text.upper()}{suffix}"
        rest = rest[:-1]
    if not rest:
        piece.refuse("there is nothing to sort by")
    return _in_parentheses(text[: rest[-1].end]) + suffix


def statement(text: str) -> str:
    """A complete SELECT, without a semicolon at its end.

    Raises:
        InvalidInput: Text that can't be put into parentheses.
    """
    try:
        return _statement(_checked_text(text))
    except _Refused as refused:
        _refuse(text, "a single SELECT", str(refused))


def shown(text: object) -> str:
    """A value for a message, cut if it is long."""
    if not isinstance(text, str):
        return _arguments.shown(text)
    if len(text) > _SHOWN_CHARACTERS:
        return json.dumps(text[:_SHOWN_CHARACTERS], ensure_ascii=False) + "…"
    return json.dumps(text, ensure_ascii=False)


class _Piece:
    """A text whose tokens can be one expression, and its tokens without spaces and comments."""

    def __init__(self, text: str) -> None:
        self.text = text
        try:
            self.tokens = _checked(_checked_text(text))
        except _Refused as refused:
            self.refuse(str(refused))

    def refuse(self, what: str) -> NoReturn:
        _refuse(self.text, "a single expression", what)

    def position_of_as(self) -> int | None:
        """The index of the first AS outside of brackets."""
        return next((index for index, token in _outside_of_brackets(self.tokens) if token.is_word("AS")), None)

    def own_names(self) -> str | Names:
        """The names that DuckDB gives it if it has no AS."""
        if len(self.tokens) == 1 and self.tokens[0].text == "*":
            return Names.ALL
        is_path = all(
            token.text == "." if index % 2 else token.name() is not None for index, token in enumerate(self.tokens)
        )
        name = self.tokens[-1].name() if is_path else None
        return Names.UNKNOWN if name is None else name

    def may_be_several(self, position_of_as: int) -> bool:
        before = self.tokens[:position_of_as]
        return (
            before[0].text == "*"
            or before[-1].text == "*"
            or any(token.is_word(word) for token in before for word in _BECOME_SEVERAL)
        )


def _statement(text: str) -> str:
    everything = list(tokens(text))
    _check_ends(everything)
    significant = [token for token in everything if token.is_significant]
    while significant and significant[-1].kind is Kind.END:
        significant.pop()
    if any(token.kind is Kind.END for token in significant):
        raise _Refused("a `;` ends it before its end")
    _check_characters(text, everything)
    _check_brackets(significant)
    if not significant:
        raise _Refused("it is empty")
    return text[: significant[-1].end].lstrip()


def _checked_text(text: object) -> str:
    if isinstance(text, pl.Expr):
        raise _Refused('give SQL, such as "price > 1000"; expressions of polars are for `scan`')
    if not isinstance(text, str):
        raise _Refused("it is no text")
    return text


def _checked(text: str) -> list[Token]:
    """The tokens of a text, unless it could end the parentheses around it or is not one expression."""
    everything = list(tokens(text))
    _check_ends(everything)
    _check_characters(text, everything)
    for token in everything:
        if token.kind is Kind.COMMENT:
            raise _Refused(f"a comment, {shown(token.text)}, has no place in it")
    significant = [token for token in everything if token.is_significant]
    if any(token.kind is Kind.END for token in significant):
        raise _Refused("a `;` would end the whole query")
    _check_brackets(significant)
    if any(token.text == "," for _, token in _outside_of_brackets(significant)):
        raise _Refused("a `,` begins another one")
    if not significant:
        raise _Refused("it is empty")
    if any(significant[0].is_word(word) for word in _BEGIN_A_QUERY):
        raise _Refused(f"a query, such as what {significant[0].text} begins, stands in parentheses")
    return significant


def _check_ends(everything: Iterable[Token]) -> None:
    """Refuses quotes and comments that don't end."""
    for token in everything:
        if token.is_open:
            raise _Refused(f"what begins with {shown(token.text)} does not end")


def _check_characters(text: str, everything: list[Token]) -> None:
    """Refuses characters of which it is not certain where DuckDB ends a token, and those that can't be sent."""
    if "\0" in text:
        raise _Refused("it holds a NUL character")
    for character in text if not text.isascii() else "":
        if unicodedata.category(character) == "Cs":
            raise _Refused(f"{character!r} is half of a character")
    for token in everything:
        if token.kind in (Kind.TEXT, Kind.QUOTED_NAME, Kind.COMMENT) or token.text.isascii():
            continue
        for character in token.text:
            # Letters, the marks on them, and numbers.
            if not character.isascii() and unicodedata.category(character)[0] not in "LMN":
                raise _Refused(f"{character!r} stands outside of quotes; a name goes into double quotes")
    runs_on = (Kind.WORD, Kind.NUMBER, Kind.TEXT, Kind.QUOTED_NAME)
    for before, behind in pairwise(everything):
        if before.kind is Kind.NUMBER and behind.kind in runs_on:
            raise _Refused(f"{shown(before.text)} runs on into {shown(behind.text)}")


def _check_brackets(significant: Iterable[Token]) -> None:
    """Refuses brackets that don't go in pairs."""
    missing = []
    for token in significant:
        if token.text in _CLOSING:
            missing.append(_CLOSING[token.text])
        elif token.text in _CLOSING.values() and (not missing or missing.pop() != token.text):
            raise _Refused(f"a `{token.text}` closes what it does not open")
    if missing:
        raise _Refused(f"a `{missing[-1]}` is missing")


def _outside_of_brackets(all_tokens: Iterable[Token]) -> Iterator[tuple[int, Token]]:
    """The tokens outside of brackets, each with its index. All brackets must be in pairs."""
    depth = 0
    for index, token in enumerate(all_tokens):
        if token.text in _CLOSING.values():
            depth -= 1
        if depth == 0:
            yield index, token
        if token.text in _CLOSING:
            depth += 1


def _in_parentheses(text: str) -> str:
    return f"({text.strip()})"


def _refuse(text: object, wanted: str, what: str) -> NoReturn:
    raise InvalidInput(f"{shown(text)} is not {wanted}: {what}") from None
