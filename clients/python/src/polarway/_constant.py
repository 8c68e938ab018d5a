"""Constants of polars' predicates, and their values as parameters of a query.

polars gives a constant the type of what it is compared with. Where the types differ all the same, it is not known here
how polars compares them, and the predicate is not translated.
"""

from __future__ import annotations

import dataclasses
import decimal
import io
import json
from typing import Any, Final

import polars as pl
import pyarrow as pa

_EPOCH_UNITS: Final = {"Milliseconds": "ms", "Microseconds": "us"}

_ARROW_TYPES: Final[dict[type[pl.DataType], pa.DataType]] = {
    pl.Boolean: pa.bool_(),
    pl.Int8: pa.int8(),
    pl.Int16: pa.int16(),
    pl.Int32: pa.int32(),
    pl.Int64: pa.int64(),
    pl.UInt8: pa.uint8(),
    pl.UInt16: pa.uint16(),
    pl.UInt32: pa.uint32(),
    pl.UInt64: pa.uint64(),
    pl.Float32: pa.float32(),
    pl.Float64: pa.float64(),
    pl.String: pa.string(),
    pl.Date: pa.date32(),
}

# The types whose values JSON writes as they are, by their names there.
_PLAIN: Final = {kind.__name__: kind for kind in _ARROW_TYPES if kind is not pl.Date}


class Untranslatable(Exception):
    """A part of a predicate has no known form in SQL."""


class LostFloat(Exception):
    """A float is an infinity or NaN, which JSON can't write."""


@dataclasses.dataclass(frozen=True, slots=True)
class Constant:
    """A value that is not null. One of a date or a time is the number that stores it."""

    dtype: pl.DataType
    value: Any

    @classmethod
    def of_json(cls, literal: Any) -> Constant:
        """The value of what polars writes behind `Literal`.

        Raises:
            LostFloat: It is an infinity or NaN.
            Untranslatable: It is something else.
        """
        match literal:
            case {"Scalar": {"Float32": None}} | {"Scalar": {"Float64": None}}:
                raise LostFloat
            case {"Scalar": {"Date": int(days)}}:
                return cls(pl.Date(), days)
            case {"Scalar": {"Datetime": [int(time), str(unit), zone]}} if unit in _EPOCH_UNITS:
                return cls(pl.Datetime(_EPOCH_UNITS[unit], _zone(zone)), time)  # type: ignore[arg-type]
            case {"Scalar": {"Decimal": [int(digits), int(precision), int(scale)]}}:
                return cls(pl.Decimal(precision, scale), _decimal(digits, scale))
            case {"Scalar": {**entries}} if len(entries) == 1:
                name, value = entries.popitem()
                if name in _PLAIN and value is not None:
                    return cls(_PLAIN[name](), value)
        raise Untranslatable

    def fitted(self, dtype: pl.DataType) -> pa.Scalar:
        """The value as a parameter that is compared with a column of a type.

        Raises:
            Untranslatable: The types don't fit together.
        """
        own = self.dtype
        if isinstance(dtype, pl.Categorical | pl.Enum):
            # SQL has their texts.
            dtype = pl.String()
        if isinstance(dtype, pl.Decimal) and isinstance(own, pl.Decimal):
            return self._rescaled(dtype)
        if isinstance(dtype, pl.Datetime) and isinstance(own, pl.Datetime):
            # With a time zone both are moments, whatever their zones are.
            if dtype.time_unit != own.time_unit or (dtype.time_zone is None) != (own.time_zone is None):
                raise Untranslatable
            return pa.scalar(self.value, pa.timestamp(own.time_unit, own.time_zone))
        if own != dtype or type(own) not in _ARROW_TYPES:
            raise Untranslatable
        return pa.scalar(self.value, _ARROW_TYPES[type(own)])

    def _rescaled(self, dtype: pl.Decimal) -> pa.Scalar:
        with decimal.localcontext(prec=100):
            digits = self.value.scaleb(dtype.scale)
        # `None` stands for all digits that there are.
        precision = dtype.precision or 38
        if digits != digits.to_integral_value() or abs(digits) >= 10**precision:
            raise Untranslatable
        return pa.scalar(_decimal(int(digits), dtype.scale), pa.decimal128(precision, dtype.scale))


def of_literal(expression: pl.Expr) -> Constant:
    """The value of a literal. polars evaluates it.

    Raises:
        Untranslatable: It is null, or of a type that is not known here.
    """
    constants, _ = _constants(pl.select(expression).to_series())
    if len(constants) != 1:
        raise Untranslatable
    return constants[0]


def items_of_json(literal: Any, most: int) -> tuple[list[Constant], bool]:
    """The values in a list that polars writes behind `Literal`, and whether there are nulls beside them.

    Raises:
        Untranslatable: It is no list of values, or has more than `most`.
    """
    if not isinstance(literal, dict) or not ("Series" in literal or "List" in literal.get("Scalar", {})):
        raise Untranslatable
    expression = pl.Expr.deserialize(io.StringIO(json.dumps({"Literal": literal})), format="json")
    series = pl.select(expression).to_series()
    if isinstance(series.dtype, pl.List):
        if len(series) != 1 or series[0] is None:
            raise Untranslatable
        series = series[0]
    if len(series) > most:
        raise Untranslatable
    return _constants(series)


def _constants(series: pl.Series) -> tuple[list[Constant], bool]:
    dtype = series.dtype
    values = series.drop_nulls()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        values, dtype = values.cast(pl.String), pl.String()
    elif isinstance(dtype, pl.Date | pl.Datetime):
        values = values.to_physical()
    elif not isinstance(dtype, pl.Decimal) and type(dtype) not in _ARROW_TYPES:
        raise Untranslatable
    return [Constant(dtype, value) for value in values], series.null_count() > 0


def _decimal(digits: int, scale: int) -> decimal.Decimal:
    sign = 1 if digits < 0 else 0
    return decimal.Decimal((sign, tuple(map(int, str(abs(digits)))), -scale))


def _zone(zone: Any) -> str | None:
    match zone:
        case None:
            return None
        case {"inner": str(name)} if len(zone) == 1:
            return name
    raise Untranslatable
