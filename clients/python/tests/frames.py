"""Random frames of all types that are filtered in SQL or here, and random predicates over them."""

from __future__ import annotations

import datetime as dt
import operator
import random
from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

import polars as pl
from hypothesis import strategies as st

NAN: Final = float("nan")
INF: Final = float("inf")
BERLIN: Final = "Europe/Berlin"

_FLOATS: Final = [NAN, INF, -INF, -0.0, 0.0, 1.1, -1.5, 16777217.0, 1e-45, 3.4e38]
_TEXTS: Final = ["", "a", "A", "ab", "b", "ä", "z", "a\0", "💥", "a%_"]
_DATES: Final = [dt.date(1, 1, 1), dt.date(1969, 12, 31), dt.date(2024, 2, 29), dt.date(9999, 12, 31)]
_TIMES: Final = [
    dt.datetime(1, 1, 1),
    dt.datetime(1969, 12, 31, 23, 59, 59, 999_999),
    dt.datetime(2024, 3, 31, 2, 30),
    dt.datetime(2024, 3, 31, 2, 30, 0, 1),
    dt.datetime(9999, 12, 31),
]
_NEAR: Final = _TIMES[1:4]

# The columns of each frame, and the values that they have beside nulls. Values are few, so that many of them are equal.
COLUMNS: Final[dict[str, tuple[pl.DataType, Sequence[Any]]]] = {
    "i8": (pl.Int8(), [-128, -1, 0, 1, 127]),
    "i64": (pl.Int64(), [-(2**63), -(2**53) - 1, -1, 0, 1, 2**53, 2**53 + 1, 2**63 - 1]),
    "u16": (pl.UInt16(), [0, 1, 2**16 - 1]),
    "u64": (pl.UInt64(), [0, 1, 2**53 + 1, 2**64 - 1]),
    "i128": (pl.Int128(), [-(2**100), 0, 2**100]),
    "f32": (pl.Float32(), _FLOATS),
    "f64": (pl.Float64(), [*_FLOATS, 2.0**53, 1.7e308]),
    "text": (pl.String(), _TEXTS),
    'odd "name"': (pl.String(), _TEXTS),
    "bool": (pl.Boolean(), [True, False]),
    "date": (pl.Date(), _DATES),
    "us": (pl.Datetime("us"), _TIMES),
    "ms": (pl.Datetime("ms"), _TIMES),
    "ns": (pl.Datetime("ns"), _NEAR),
    "berlin": (pl.Datetime("us", BERLIN), [time.replace(tzinfo=dt.UTC) for time in _NEAR]),
    "time": (pl.Time(), [dt.time(0), dt.time(12, 0, 0, 1), dt.time(23, 59, 59, 999_999)]),
    "duration": (pl.Duration("us"), [dt.timedelta(0), dt.timedelta(-1), dt.timedelta(days=1, microseconds=1)]),
    "short": (pl.Duration("ns"), [dt.timedelta(0), dt.timedelta(-1), dt.timedelta(days=1, microseconds=1)]),
    "bytes": (pl.Binary(), [b"", b"a", b"\0", b"\xff"]),
    "price": (pl.Decimal(10, 2), [Decimal("-1.50"), Decimal("0.00"), Decimal("1.00"), Decimal("99999999.99")]),
    "large": (pl.Decimal(38, 10), [Decimal("-1.5"), Decimal(0), Decimal("1.0000000001"), Decimal(10**27)]),
    "category": (pl.Categorical(), _TEXTS),
    "enum": (pl.Enum(["b", "a", "", "ä"]), ["b", "a", "", "ä"]),
    "list": (pl.List(pl.Int64()), [[], [1], [None, 2]]),
    "struct": (pl.Struct({"x": pl.Int32(), "y": pl.String()}), [{"x": 1, "y": "a"}, {"x": None, "y": None}]),
    "null": (pl.Null(), []),
}

# What is not in these pools is near to what is.
_INTEGERS: Final = [-(2**63), -129, -1, 0, 1, 2, 127, 300, 2**53 + 1, 2**63]
_AGAINST_INTEGERS: Final = [*_INTEGERS, 0.5, 2.0**53, NAN, INF, -INF]
_AGAINST_FLOATS: Final = [*_FLOATS, *_INTEGERS, 0.1]
_CONSTANTS: Final[dict[type[pl.DataType], Sequence[Any]]] = {
    pl.Int8: _AGAINST_INTEGERS,
    pl.Int64: _AGAINST_INTEGERS,
    pl.UInt16: _AGAINST_INTEGERS,
    pl.UInt64: _AGAINST_INTEGERS,
    pl.Int128: _AGAINST_INTEGERS,
    pl.Float32: _AGAINST_FLOATS,
    pl.Float64: _AGAINST_FLOATS,
    pl.Decimal: [*_INTEGERS, Decimal("1.00"), Decimal("-1.5"), Decimal("1.0000000001"), 0.5],
    pl.Date: [*_DATES, dt.date(2024, 3, 1), *_TIMES],
    pl.Datetime: [*_TIMES, *_DATES, *(time.replace(tzinfo=dt.UTC) for time in _TIMES)],
    pl.Categorical: [*_TEXTS, "none"],
    pl.Enum: ["b", "a", "", "ä"],
    pl.String: [*_TEXTS, "none"],
}
_COMPARISONS: Final[Sequence[Callable[[Any, Any], Any]]] = [
    operator.eq,
    operator.ne,
    operator.lt,
    operator.le,
    operator.gt,
    operator.ge,
    pl.Expr.eq_missing,
    pl.Expr.ne_missing,
]
_NUMBERS: Final = ["i8", "i64", "u16", "u64", "i128", "f32", "f64"]
_PAIRS: Final = [(one, other) for one in _NUMBERS for other in _NUMBERS] + [("text", 'odd "name"'), ("us", "us")]


def frame(rows: int, seed: int) -> pl.DataFrame:
    """A frame with all columns."""
    chance = random.Random(seed)
    return pl.DataFrame(
        [series(name, chance.choices([None, *pool], k=rows), dtype) for name, (dtype, pool) in COLUMNS.items()]
    )


def frames(most_rows: int = 20) -> st.SearchStrategy[pl.DataFrame]:
    """Frames with all columns. To draw each value would take long."""
    return st.builds(frame, st.integers(0, most_rows), st.integers(0, 2**32))


def series(name: str, values: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Values of one type. Those of a time zone are given in UTC."""
    if isinstance(dtype, pl.Datetime) and dtype.time_zone is not None:
        return pl.Series(name, values, pl.Datetime(dtype.time_unit, "UTC")).dt.convert_time_zone(dtype.time_zone)
    return pl.Series(name, values, dtype)


@st.composite
def conditions(draw: st.DrawFn) -> pl.Expr:
    """A condition on one or two columns."""
    name = draw(st.sampled_from(list(COLUMNS)))
    dtype, pool = COLUMNS[name]
    column = pl.col(name)
    constants = st.sampled_from(_CONSTANTS.get(type(dtype), pool) or [None])
    kinds = ["constant", "constant", "constant", "columns", "in", "between", "null", "special"]
    match draw(st.sampled_from(kinds)):
        case "constant":
            sides = (column, pl.lit(draw(constants)))
            sides = sides if draw(st.booleans()) else sides[::-1]
            return _compared(draw(st.sampled_from(_COMPARISONS)), *sides)
        case "columns":
            one, other = draw(st.sampled_from(_PAIRS))
            return _compared(draw(st.sampled_from(_COMPARISONS)), pl.col(one), pl.col(other))
        case "in":
            items = draw(st.lists(st.one_of(st.none(), st.sampled_from(pool or [None])), max_size=4))
            return column.is_in(series("items", items, dtype).implode(), nulls_equal=draw(st.booleans()))
        case "between":
            closed: Any = draw(st.sampled_from(["both", "left", "right", "none"]))
            return column.is_between(pl.lit(draw(constants)), pl.lit(draw(constants)), closed=closed)
        case "null":
            return column.is_null() if draw(st.booleans()) else column.is_not_null()
    return draw(st.sampled_from(_SPECIAL))


_SPECIAL: Final = [
    pl.col("bool"),
    pl.lit(True),
    pl.lit(False),
    pl.col("f32").is_nan(),
    pl.col("f64").is_not_nan(),
    pl.col("f64").is_finite(),
    pl.col("f32").is_infinite(),
    pl.col("text").str.starts_with("a"),
    pl.col("text").str.ends_with(""),
    pl.col("text").str.contains("%", literal=True),
    pl.col("text").str.contains("^a.$"),
    pl.col("text").str.contains("a"),
    pl.col("text").str.contains("%_"),
    pl.col("text").str.contains(""),
    pl.col("text").str.len_chars() > 1,
    pl.col("i8").cast(pl.Int64) == 127,
    pl.col("i64") % 2 == 0,
    pl.col("i8") + 1 > 0,
    pl.col("us").dt.year() == 2024,
    pl.col("struct").struct.field("x") == 1,
    pl.col("list").list.len() == 1,
    pl.when(pl.col("bool")).then(pl.col("i8") > 0).otherwise(pl.col("f64") > 0),
    pl.any_horizontal("bool", pl.col("i8") > 0),
]


def predicates() -> st.SearchStrategy[pl.Expr]:
    """Conditions, joined by `&`, `|` and `~`."""
    return st.recursive(
        conditions(),
        lambda inner: st.one_of(
            st.builds(operator.and_, inner, inner),
            st.builds(operator.or_, inner, inner),
            st.builds(operator.inv, inner),
        ),
        max_leaves=5,
    )


def _compared(comparison: Callable[[Any, Any], Any], left: pl.Expr, right: pl.Expr) -> pl.Expr:
    compared: pl.Expr = comparison(left, right)
    return compared
