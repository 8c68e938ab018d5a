"""polars' predicates as SQL: DuckDB and polars find the same of each row."""

from __future__ import annotations

import datetime as dt
import json
import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import duckdb
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.io.plugins import register_io_source

from frames import BERLIN, COLUMNS, INF, NAN, frames, predicates
from polarway._predicate import Condition, condition

TYPES: dict[str, pl.DataType] = {name: dtype for name, (dtype, _) in COLUMNS.items()}
EMPTY = pl.DataFrame(schema=TYPES)


def as_sources_get_it(predicate: pl.Expr) -> pl.Expr | None:
    """The predicate as polars gives it to a source; `None` if polars keeps it."""
    given_to_source: list[pl.Expr | None] = []

    def source(_columns: Any, pushed: pl.Expr | None, _rows: Any, _batch: Any) -> Iterator[pl.DataFrame]:
        given_to_source.append(pushed)
        yield EMPTY

    register_io_source(source, schema=TYPES).filter(predicate).collect()
    # Where no row can be meant, polars asks for none.
    return given_to_source[0] if given_to_source else None


def translated(predicate: pl.Expr) -> tuple[str, list[Any]] | None:
    pushed = as_sources_get_it(predicate)
    assert pushed is not None
    found = condition(pushed, TYPES)
    return None if found is None else (found.sql, [value.as_py() for value in found.parameters])


def in_duckdb(connection: duckdb.DuckDBPyConnection, found: Condition) -> list[bool | None]:
    """What DuckDB finds of each of the table `rows`."""
    names = [f"p{index}" for index in range(1, len(found.parameters) + 1)]
    values = [pa.array([value], value.type) for value in found.parameters]
    connection.register("parameters", pa.table([*values, pa.array([0])], names=[*names, "none"]))
    sql = re.sub(r"\$(\d+)", r"parameters.p\1", found.sql)
    return [row[0] for row in connection.sql(f"SELECT {sql} FROM rows, parameters").fetchall()]


@settings(max_examples=settings().max_examples // 4)
@given(frames(), st.lists(predicates(), min_size=1, max_size=8))
def test_what_is_translated_is_true_false_or_null_for_the_same_rows(
    frame: pl.DataFrame, several: list[pl.Expr]
) -> None:
    # SQL has the texts of categories, and does not compare integers of 128 bits with others.
    texts = frame.with_columns(pl.col(pl.Categorical, pl.Enum, pl.Int128).cast(pl.String))
    with duckdb.connect() as connection:
        connection.register("rows", texts.to_arrow(compat_level=pl.CompatLevel.oldest()))
        for predicate in several:
            try:
                pushed = as_sources_get_it(predicate)
                found = None if pushed is None else condition(pushed, TYPES)
                if pushed is None or found is None:
                    continue
                here = frame.with_columns(found=pushed)["found"].to_list()
            except pl.exceptions.PolarsError:
                # It compares what can't be compared.
                continue
            there = in_duckdb(connection, found)
            if json.loads(pushed.meta.serialize(format="json")).get("BinaryExpr", {}).get("op") == "And":
                # Parts of it may be missing.
                assert all(is_there for is_here, is_there in zip(here, there, strict=True) if is_here), found
            else:
                assert here == there, found


C = pl.col


@pytest.mark.parametrize(
    ("predicate", "sql", "parameters"),
    [
        (C("i8") > 3, '("i8" > $1)', [3]),
        (pl.lit(3) < C("i8"), '("i8" > $1)', [3]),
        (C("text") == "it's", '("text" = $1)', ["it's"]),
        (C('odd "name"') != "a", '("odd ""name""" <> $1)', ["a"]),
        (C("f32") > 1.5, '("f32" > $1)', [1.5]),
        (C("f64") == INF, '("f64" = $1)', [INF]),
        ((C("f64") == INF) | (C("f64") < -INF), '(("f64" = $1) OR ("f64" < $2))', [INF, -INF]),
        (C("i64") > 1.5, '(CAST("i64" AS DOUBLE) > $1)', [1.5]),
        (C("u64") > C("i8"), '(CAST("u64" AS HUGEINT) > CAST("i8" AS HUGEINT))', []),
        (C("price") > 1, '("price" > $1)', [Decimal("1.00")]),
        (C("date") >= dt.date(2024, 1, 1), '("date" >= $1)', [dt.date(2024, 1, 1)]),
        (C("us") < dt.datetime(2024, 1, 1), '("us" < $1)', [dt.datetime(2024, 1, 1)]),
        (C("category") == "a", '("category" = $1)', ["a"]),
        (C("enum").is_in(["a", "b"]), '("enum" IN ($1, $2))', ["a", "b"]),
        (C("i64").is_in([1, None]), '("i64" IN ($1))', [1]),
        (C("i64").is_in([1, None], nulls_equal=True), 'coalesce(("i64" IN ($1)), TRUE)', [1]),
        (C("i64").is_between(1, 3, closed="left"), '("i64" >= $1 AND "i64" < $2)', [1, 3]),
        (C("i64").eq_missing(None), '("i64" IS NULL)', []),
        (C("i64").ne_missing(3), '("i64" IS DISTINCT FROM $1)', [3]),
        (C("list").is_not_null(), '("list" IS NOT NULL)', []),
        (C("f64").is_nan(), '(isnan("f64"))', []),
        (C("bool"), '"bool"', []),
        (~C("bool"), '(NOT "bool")', []),
        (pl.lit(False), "FALSE", []),
        (C("i64").is_in([]), "FALSE", []),
        (C("text").str.contains("^%", literal=True), 'contains("text", $1)', ["^%"]),
        (C("text").str.contains("% - ä"), 'contains("text", $1)', ["% - ä"]),
    ],
)
def test_what_is_known_is_translated(predicate: pl.Expr, sql: str, parameters: list[Any]) -> None:
    assert translated(predicate) == (sql, parameters)


@pytest.mark.parametrize(
    "predicate",
    [
        pl.lit(True),
        C("enum") > "a",
        C("category") < "a",
        C("ns") > dt.datetime(2024, 1, 1),
        C("time") > dt.time(1),
        C("duration") > dt.timedelta(1),
        C("bytes") == b"a",
        C("i128") > 1,
        C("price") > 1.5,
        C("price").is_in([Decimal("1.001")]),
        C("text").str.contains("a.b"),
        C("text").str.contains("^a"),
        C("text").str.contains("(?i)a"),
        C("text").str.contains(C("text")),
        C("text").cast(pl.Int64, strict=False) == 3,
        C("f64").cast(pl.Int64, strict=False) == 3,
        C("i64").cast(pl.Int8, strict=False) == 3,
        C("i64") + 1 > 2,
        (C("i8") > 3) | (C("i64") + 1 > 2),
        ~((C("i8") > 3) & (C("i64") + 1 > 2)),
        C("us").dt.year() == 2024,
        C("i64").is_in(list(range(2_000))),
    ],
)
def test_what_may_mean_something_else_in_sql_stays_here(predicate: pl.Expr) -> None:
    assert translated(predicate) is None


def test_of_an_and_only_the_known_parts_are_translated() -> None:
    mixed = (C("i64") + 1 > 2) & (C("i8") > 3) & ((C("f64") == NAN) | (C("time") > dt.time(1))) & (C("text") == "a")
    assert translated(mixed) == ('("i8" > $1) AND ("text" = $2)', [3, "a"])


def test_a_column_that_sql_does_not_have_as_polars_has_it_stays_here() -> None:
    pushed = as_sources_get_it((C("i8") > 3) & (C("text") == "a") & C("bool").is_null())
    assert pushed is not None
    assert condition(pushed, {"text": pl.String()}) == Condition('("text" = $1)', (pa.scalar("a"),))
    assert condition(pushed, {}) is None


def test_times_of_a_zone_are_compared_as_moments() -> None:
    noon = dt.datetime(2024, 3, 31, 12, tzinfo=dt.UTC)
    pushed = as_sources_get_it(C("berlin") >= pl.lit(noon.astimezone(ZoneInfo(BERLIN))))
    assert pushed is not None
    found = condition(pushed, TYPES)
    assert found is not None
    assert found.sql == '("berlin" >= $1)'
    assert found.parameters[0].value == int(noon.timestamp()) * 1_000_000


def test_predicates_with_python_functions_and_deep_ones_stay_here() -> None:
    assert condition(C("i8").map_batches(lambda values: values > 1, return_dtype=pl.Boolean), TYPES) is None
    deep = C("i8") > 1
    for _ in range(1_500):
        deep = ~deep
    assert condition(deep, TYPES) is None


def test_polars_keeps_predicates_that_look_at_other_rows() -> None:
    for predicate in (C("i8").shift(1) == 1, C("i8") > C("i8").mean(), C("bool") & C("i8").is_duplicated()):
        assert as_sources_get_it(predicate) is None
