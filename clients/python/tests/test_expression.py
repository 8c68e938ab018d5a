"""Texts of SQL that users hand in: split into tokens, and checked to be what they should be."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from polarway import InvalidInput
from polarway._expression import Names, column, expression, sort_key, statement
from polarway._sql import Kind, identifier, literal, tokens

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "proto" / "cases" / "expressions.json").read_text(encoding="utf-8")
)


def refusal(check: Callable[[str], object], text: str) -> str:
    with pytest.raises(InvalidInput) as refused:
        check(text)
    return refused.value.message


def kinds(text: str) -> list[Kind]:
    return [token.kind for token in tokens(text) if token.is_significant]


@pytest.mark.parametrize("text", CASES["one"])
def test_one_expression_is_put_into_parentheses_as_it_is(text: str) -> None:
    sql = f"({text.strip()})"
    assert (expression(text), column(text).sql, sort_key(text)) == (sql, sql, sql)


@pytest.mark.parametrize("case", CASES["none"], ids=lambda case: repr(case["text"]))
def test_what_could_leave_its_place_is_refused_and_named(case: dict[str, str]) -> None:
    said = refusal(expression, case["text"])
    assert said.startswith(json.dumps(case["text"], ensure_ascii=False) + " is not ")
    assert case["says"] in said
    if case["says"] != "AS":
        refusal(column, case["text"])
    refusal(sort_key, case["text"])


@pytest.mark.parametrize("case", CASES["named"], ids=lambda case: case["text"])
def test_a_name_behind_as_is_quoted_and_known(case: dict[str, str]) -> None:
    named = column(case["text"])
    assert (named.sql, named.names, named.alias) == (case["sql"], case["name"], case["name"])


@pytest.mark.parametrize("text", CASES["not_named"])
def test_as_without_one_name_at_the_end_is_refused(text: str) -> None:
    assert "AS" in refusal(column, text)


@pytest.mark.parametrize("case", CASES["names"], ids=lambda case: case["text"])
def test_the_names_of_columns_are_told_where_the_text_tells_them(case: dict[str, str | None]) -> None:
    assert case["text"] is not None
    names = {"*": Names.ALL, None: Names.UNKNOWN}.get(case["names"], case["names"])
    assert column(case["text"]).names == names


@pytest.mark.parametrize("case", CASES["keys"], ids=lambda case: case["text"])
def test_a_sort_key_keeps_its_direction_outside_of_the_parentheses(case: dict[str, str]) -> None:
    assert sort_key(case["text"]) == case["sql"]


@pytest.mark.parametrize("text", CASES["not_keys"])
def test_a_text_that_is_no_sort_key_is_refused(text: str) -> None:
    refusal(sort_key, text)


@pytest.mark.parametrize("case", CASES["statements"], ids=lambda case: case["text"])
def test_a_select_loses_the_semicolon_that_ends_it_and_what_follows(case: dict[str, str]) -> None:
    assert statement(case["text"]) == case["sql"]


@pytest.mark.parametrize("text", CASES["not_statements"])
def test_what_is_not_a_single_select_is_refused(text: str) -> None:
    assert "is not a single SELECT" in refusal(statement, text)


def test_a_very_long_text_is_read_in_one_pass_and_shown_in_part() -> None:
    text = " + ".join(["a"] * 10_000)
    assert len(expression(text)) == len(text) + 2
    deep = "(" * 10_000 + "1" + ")" * 10_000
    assert expression(deep) == f"({deep})"
    quoted = "'" + "it''s\\" * 10_000 + "'"
    assert expression(quoted) == f"({quoted})"
    said = refusal(expression, text + ";")
    assert len(said) < 300
    assert said.endswith("`;` would end the whole query")


def test_whatever_is_cut_out_of_good_texts_stays_in_its_place_or_is_refused() -> None:
    # The parentheses around a piece must be the ones that close: its tokens are the same with them as without.
    everything = " ".join([*CASES["one"], *(case["text"] for case in CASES["none"])])
    for start in range(len(everything)):
        for end in range(start + 3, min(start + 84, len(everything)), 9):
            piece = everything[start:end]
            try:
                sql = expression(piece)
            except InvalidInput:
                continue
            assert kinds(f"{sql} x")[1:-2] == kinds(piece), piece


def test_letters_whose_capitals_are_ascii_make_no_keywords() -> None:
    long_s = "\N{LATIN SMALL LETTER LONG S}"
    assert column(f"a a{long_s} b").alias is None
    assert sort_key(f"n de{long_s}c") == f"(n de{long_s}c)"


def test_what_is_no_text_and_what_can_not_be_sent_is_refused() -> None:
    numbers: Any = 5
    assert refusal(expression, numbers) == "5 is not a single expression: it is no text"
    assert refusal(statement, numbers) == "5 is not a single SELECT: it is no text"
    assert "half of a character" in refusal(expression, "'\ud800'")


def test_names_may_have_letters_and_marks_of_every_script() -> None:
    for name in ("größe", "नाम", "e\u0301", "名前", "число", "x²"):
        assert column(name).names == name


@pytest.mark.parametrize(
    ("text", "expect"),
    [
        ("SELECT a$1, 1.5e-3+.5", "WORD SELECT|WORD a$1|SYMBOL ,|NUMBER 1.5e-3|SYMBOL +|NUMBER .5"),
        ("1_000 0x1F 2.e5", "NUMBER 1_000|NUMBER 0|WORD x1F|NUMBER 2.e5"),
        (r"0b1e'\' 1", r"NUMBER 0|WORD b1e|TEXT '\'|NUMBER 1"),
        (r"1e'\'x' 1e+", r"NUMBER 1|TEXT e'\'x'|NUMBER 1|WORD e|SYMBOL +"),
        ("1__2", "NUMBER 1|WORD __2"),
        ("'it''s;' \"a \"\";b\"", "TEXT 'it''s;'|QUOTED_NAME \"a \"\";b\""),
        (
            "$$;'$$ $x$ $$; $x$ $1 $nä ?2 ?",
            "TEXT $$;'$$|TEXT $x$ $$; $x$|PARAMETER $1|PARAMETER $nä|PARAMETER ?2|PARAMETER ?",
        ),
        ("'a' -- b'\n 'c' 'd'", "TEXT 'a' -- b'\n 'c'|TEXT 'd'"),
        ("$e'\\'' $ 1", "SYMBOL $|TEXT e'\\''|SYMBOL $|NUMBER 1"),
        ("a/* /* */ ' */b", "WORD a|COMMENT /* /* */ ' */|WORD b"),
        ("a\u200bb\x0b", "WORD a|WORD b|SYMBOL \x0b"),
    ],
)
def test_tokens_end_where_those_of_duckdb_do(text: str, expect: str) -> None:
    assert "".join(token.text for token in tokens(text)) == text
    seen = [f"{token.kind.name} {token.text}" for token in tokens(text) if token.kind is not Kind.SPACE]
    assert seen == expect.split("|")


def test_what_was_quoted_is_one_token() -> None:
    for text in ("", "a", "it's", '"', "'", "a\"b'c\"\"''", "\\", "$$", "é\n--"):
        assert [token.name() for token in tokens(identifier(text))] == [text]
        assert [token.text for token in tokens(literal(text))] == [literal(text)]
