"""The SQL that the fluent methods of handles write."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from polarway import InvalidInput
from polarway._steps import Source, Steps

CASES: dict[str, Any] = json.loads(
    (Path(__file__).parents[3] / "proto" / "cases" / "follow_ups.json").read_text(encoding="utf-8")
)
HANDLES = {handle["id"]: handle["columns"] for handle in CASES["handles"]}


def steps_of(handle_id: str, steps: list[dict[str, Any]]) -> Steps:
    query = Steps.of_handle(handle_id, HANDLES[handle_id], handle_id)
    for step in steps:
        query = apply(query, step)
    return query


def apply(query: Steps, step: dict[str, Any]) -> Steps:  # noqa: PLR0911
    match step:
        case {"filter": condition}:
            return query.filter(condition)
        case {"select": columns}:
            return query.select(columns)
        case {"with_columns": columns}:
            return query.with_columns(columns)
        case {"group_by": keys, "agg": aggregates}:
            return query.aggregate(keys, aggregates)
        case {"join": other, "how": how, "on": on}:
            return query.join(source(other), on, how)
        case {"sort": by}:
            return query.sort(by)
        case {"limit": rows}:
            return query.limit(rows)
        case {"distinct": True}:
            return query.distinct()
        case {"sql": sql}:
            return query.query(sql)
        case _:
            raise AssertionError(f"{step} is no step")


def source(other: dict[str, Any]) -> Source:
    match other:
        case {"dataset": name}:
            return Source.dataset(name)
        case {"handle": handle_id, "steps": steps}:
            return steps_of(handle_id, steps).as_source()
        case {"handle": handle_id}:
            return Source.handle(handle_id, HANDLES[handle_id], handle_id)
        case _:
            raise AssertionError(f"{other} is nothing to join with")


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["name"])
def test_each_step_writes_sql_over_what_was_before_and_tells_the_columns_that_it_knows(case: dict[str, Any]) -> None:
    query = steps_of("h_0", case["steps"])
    assert query.sql == case["sql"]
    assert query.columns == (None if case["columns"] is None else tuple(case["columns"]))


@pytest.mark.parametrize("case", CASES["refused"], ids=lambda case: json.dumps(case["steps"]))
def test_what_is_no_expression_or_missing_is_refused_before_anything_is_sent(case: dict[str, Any]) -> None:
    with pytest.raises(InvalidInput) as refused:
        steps_of("h_0", case["steps"])
    assert case["says"] in refused.value.message


def test_a_join_holds_the_handles_of_both_sides() -> None:
    other = steps_of("h_1", [{"limit": 1}]).as_source()
    joined = steps_of("h_0", []).join(other, "carrier", "left").filter("n > 1")
    assert joined.held == ("h_0", "h_1")


def test_texts_are_given_one_by_one_or_in_lists() -> None:
    query = steps_of("h_0", [])
    assert query.select(["n", "carrier"]) == query.select([["n", "carrier"]]) == query.select([("n",), "carrier"])


def test_arguments_that_can_not_be_meant_are_refused_and_named() -> None:
    query = steps_of("h_0", [])
    other = Source.dataset("airlines")
    wrong: Any
    for wrong in (-1, 1 << 63, 2.5, "3", None):
        with pytest.raises(InvalidInput, match="is no number of rows"):
            query.limit(wrong)
    for wrong in ("outer", None, "INNER"):
        with pytest.raises(InvalidInput, match="is no kind of join: there are inner, left"):
            query.join(other, "carrier", wrong)
    for wrong in (None, [5]):
        with pytest.raises(InvalidInput, match="is no name of a column to join on"):
            query.join(other, wrong, "inner")
    for wrong in (None, 5):
        with pytest.raises(InvalidInput, match="is nothing to join with"):
            Source.dataset(wrong)
        with pytest.raises(InvalidInput, match="it is no text"):
            query.select([wrong])
