"""polars' predicates as conditions in SQL, as far as both have the same meaning.

A predicate is read as the JSON that polars writes of it. That form is not stable, so only what is known here is
translated: what is unknown stays with polars. Each part that is translated is true, false or null for the same rows in
both. The whole is cut at its ANDs, and parts that are not translated are left out: the condition is true for every row
for which the predicate is true, and the caller filters its rows with the predicate again.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

import polars as pl
import pyarrow as pa

from polarway._constant import Constant, LostFloat, Untranslatable, items_of_json, of_literal
from polarway._sql import identifier

# More of them may take longer than to filter here. The server limits the texts of queries, too.
_MOST_PARAMETERS: Final = 1_000
_LONGEST_SQL: Final = 200_000

_COMPARISONS: Final = {
    "Eq": "=",
    "NotEq": "<>",
    "EqValidity": "IS NOT DISTINCT FROM",
    "NotEqValidity": "IS DISTINCT FROM",
    "Lt": "<",
    "LtEq": "<=",
    "Gt": ">",
    "GtEq": ">=",
}
_ORDERING: Final = frozenset(("Lt", "LtEq", "Gt", "GtEq"))
_CLOSED: Final = {"Both": (">=", "<="), "Left": (">=", "<"), "Right": (">", "<="), "None": (">", "<")}
_OF_FLOATS: Final = {
    "IsNan": "isnan({})",
    "IsNotNan": "NOT isnan({})",
    "IsFinite": "isfinite({})",
    "IsInfinite": "isinf({})",
}
_OF_TEXTS: Final = {"StartsWith": "starts_with", "EndsWith": "ends_with"}
# What means something else in a regular expression than itself.
_OF_PATTERNS: Final = frozenset(r"\.+*?()|[]{}^$")

_INTEGERS: Final[dict[type[pl.DataType], tuple[str, int, int]]] = {
    pl.Int8: ("TINYINT", -(2**7), 2**7),
    pl.Int16: ("SMALLINT", -(2**15), 2**15),
    pl.Int32: ("INTEGER", -(2**31), 2**31),
    pl.Int64: ("BIGINT", -(2**63), 2**63),
    pl.Int128: ("HUGEINT", -(2**127), 2**127),
    pl.UInt8: ("UTINYINT", 0, 2**8),
    pl.UInt16: ("USMALLINT", 0, 2**16),
    pl.UInt32: ("UINTEGER", 0, 2**32),
    pl.UInt64: ("UBIGINT", 0, 2**64),
}
_NUMBERS: Final[tuple[type[pl.DataType], ...]] = (*_INTEGERS, pl.Float32, pl.Float64)
_NUMBERS_BY_NAME: Final = {kind.__name__: kind for kind in _NUMBERS}


@dataclasses.dataclass(frozen=True, slots=True)
class Condition:
    """A condition in SQL. Its parameters are `$1`, `$2` and so on."""

    sql: str
    parameters: tuple[pa.Scalar, ...]


def condition(predicate: pl.Expr, columns: Mapping[str, pl.DataType]) -> Condition | None:
    """The condition for a predicate over these columns; `None` if nothing of it can be translated.

    Args:
        predicate: What polars gives to a source: the types of its constants are those of what they are compared with.
        columns: The columns whose values SQL has as polars has them, with their types in polars. SQL has the texts of
            those of type Categorical and Enum.
    """
    try:
        tree = json.loads(predicate.meta.serialize(format="json"))
        return _Translation(predicate, tree, columns).condition()
    except (Exception, pl.exceptions.PanicException):
        # It has a Python function, is nested too deeply, or another version of polars writes it in another way. polars
        # knows what to do with it.
        return None


@dataclasses.dataclass(frozen=True, slots=True)
class _Value:
    """An expression in SQL that has a value for each row."""

    sql: str
    dtype: pl.DataType


class _Translation:
    def __init__(self, predicate: pl.Expr, tree: Any, columns: Mapping[str, pl.DataType]) -> None:
        self._predicate = predicate
        self._tree = tree
        self._columns = columns
        self._parameters: list[pa.Scalar] = []
        # The nodes from the root down to the one that is translated.
        self._path: list[Any] = []

    def condition(self) -> Condition | None:
        conjuncts = [sql for sql in self._conjuncts(self._tree) if sql != "TRUE"]
        sql = " AND ".join(conjuncts)
        return Condition(sql, tuple(self._parameters)) if 0 < len(sql) <= _LONGEST_SQL else None

    def _conjuncts(self, node: Any) -> Iterator[str]:
        """The parts of an AND that can be translated."""
        self._path.append(node)
        match node:
            case {"BinaryExpr": {"left": left, "op": "And", "right": right}}:
                yield from self._conjuncts(left)
                yield from self._conjuncts(right)
            case _:
                depth, count = len(self._path), len(self._parameters)
                try:
                    yield self._boolean_at(node)
                except Untranslatable:
                    del self._path[depth:], self._parameters[count:]
        self._path.pop()

    def _boolean(self, node: Any) -> str:
        """A node whose value is true, false or null."""
        self._path.append(node)
        sql = self._boolean_at(node)
        self._path.pop()
        return sql

    def _boolean_at(self, node: Any) -> str:  # noqa: PLR0911
        match node:
            case {"Column": str(name)} if isinstance(self._columns.get(name), pl.Boolean):
                return identifier(name)
            case {"Literal": {"Scalar": {"Boolean": bool(value)}}}:
                return "TRUE" if value else "FALSE"
            case {"Literal": {"Scalar": {"Null": "Boolean"}}}:
                return "CAST(NULL AS BOOLEAN)"
            case {"BinaryExpr": {"left": left, "op": "And" | "Or" as op, "right": right}}:
                return f"({self._boolean(left)} {op.upper()} {self._boolean(right)})"
            case {"BinaryExpr": {"left": left, "op": str(op), "right": right}} if op in _COMPARISONS:
                return self._comparison(left, op, right)
            case {"Ternary": {"predicate": predicate, "truthy": truthy, "falsy": falsy}}:
                parts = (self._boolean(predicate), self._boolean(truthy), self._boolean(falsy))
                return "CASE WHEN {} THEN {} ELSE {} END".format(*parts)
            case {"Function": {"input": [operand, *others], "function": {"Boolean": function}}}:
                return self._boolean_function(function, operand, others)
            case {"Function": {"input": [operand, pattern], "function": {"StringExpr": function}}}:
                return self._text_function(function, operand, pattern)
        raise Untranslatable

    def _boolean_function(self, function: Any, operand: Any, others: list[Any]) -> str:
        match function, others:
            case "Not", []:
                return f"(NOT {self._boolean(operand)})"
            case "IsNull", []:
                return f"({self._column(operand).sql} IS NULL)"
            case "IsNotNull", []:
                return f"({self._column(operand).sql} IS NOT NULL)"
            case str(name), [] if name in _OF_FLOATS:
                column = self._column(operand)
                if not isinstance(column.dtype, pl.Float32 | pl.Float64):
                    raise Untranslatable
                return f"({_OF_FLOATS[name].format(column.sql)})"
            case {"IsBetween": {"closed": str(closed)}}, [_, _] if closed in _CLOSED:
                value = self._comparable(operand, "Lt")
                low, high = (self._bound(value, bound) for bound in others)
                above, below = _CLOSED[closed]
                return f"({value.sql} {above} {low} AND {value.sql} {below} {high})"
            case {"IsIn": {"nulls_equal": bool(nulls_equal)}}, [{"Literal": items}]:
                return self._membership(self._value(operand), items, nulls_equal=nulls_equal)
        raise Untranslatable

    def _text_function(self, function: Any, operand: Any, pattern: Any) -> str:
        match function:
            case str(name) if name in _OF_TEXTS:
                sql = _OF_TEXTS[name]
            case {"Contains": {"literal": bool(is_literal)}} if is_literal or _is_plain(pattern):
                sql = "contains"
            case _:
                raise Untranslatable
        value = self._value(operand)
        if not isinstance(value.dtype, pl.String):
            raise Untranslatable
        return f"{sql}({value.sql}, {self._bound(value, pattern)})"

    def _comparison(self, left: Any, op: str, right: Any) -> str:
        match left, right:
            case {"Literal": _}, _:
                value = self._comparable(right, op)
                sides = (self._bound(value, left), value.sql)
            case _, {"Literal": _}:
                value = self._comparable(left, op)
                sides = (value.sql, self._bound(value, right))
            case _:
                value, other = self._comparable(left, op), self._comparable(right, op)
                if value.dtype != other.dtype or isinstance(value.dtype, pl.Categorical | pl.Enum):
                    raise Untranslatable
                sides = (value.sql, other.sql)
        return f"({sides[0]} {_COMPARISONS[op]} {sides[1]})"

    def _membership(self, value: _Value, items: Any, *, nulls_equal: bool) -> str:
        constants, has_null = items_of_json(items, _MOST_PARAMETERS)
        if not constants:
            raise Untranslatable
        # For a value that is not in a list with a null, SQL gives null and polars false. So nulls stay out of the list.
        found = f"({value.sql} IN ({', '.join(self._parameter(constant, value) for constant in constants)}))"
        if not nulls_equal:
            return found
        return f"coalesce({found}, {'TRUE' if has_null else 'FALSE'})"

    def _comparable(self, node: Any, op: str) -> _Value:
        value = self._value(node)
        is_ordered = not isinstance(value.dtype, pl.Boolean | pl.Categorical | pl.Enum)
        if op in _ORDERING and not is_ordered:
            raise Untranslatable
        return value

    def _column(self, node: Any) -> _Value:
        match node:
            case {"Column": str(name)} if name in self._columns:
                return _Value(identifier(name), self._columns[name])
        raise Untranslatable

    def _value(self, node: Any) -> _Value:
        """A column whose values can be compared, or one with another type of number."""
        match node:
            case {"Cast": {"expr": {"Column": _} as column, "dtype": {"Literal": str(name)}}} if (
                name in _NUMBERS_BY_NAME
            ):
                return _cast(self._value(column), _NUMBERS_BY_NAME[name])
        value = self._column(node)
        match value.dtype:
            case pl.Datetime(time_unit="us") | pl.Datetime(time_unit="ms", time_zone=None):
                return value
            case pl.Boolean() | pl.Float32() | pl.Float64() | pl.String() | pl.Date() | pl.Decimal():
                return value
            case pl.Categorical() | pl.Enum():
                return value
            case dtype if type(dtype) in _INTEGERS and not isinstance(dtype, pl.Int128):
                return value
        raise Untranslatable

    def _bound(self, value: _Value, node: Any) -> str:
        """A constant that is compared with a value."""
        match node:
            case {"Literal": literal}:
                try:
                    constant = Constant.of_json(literal)
                except LostFloat:
                    constant = of_literal(self._expression(node))
                return self._parameter(constant, value)
        raise Untranslatable

    def _parameter(self, constant: Constant, value: _Value) -> str:
        if len(self._parameters) == _MOST_PARAMETERS:
            raise Untranslatable
        self._parameters.append(constant.fitted(value.dtype))
        return f"${len(self._parameters)}"

    def _expression(self, node: Any) -> pl.Expr:
        """The expression of a node below the one that is translated."""
        expression = self._predicate
        for wanted in [*self._path[1:], node]:
            # The order of an expression's parts is not documented.
            parts = [part for part in expression.meta.pop() if json.loads(part.meta.serialize(format="json")) == wanted]
            if len(parts) != 1:
                raise Untranslatable
            expression = parts[0]
        return expression


def _is_plain(pattern: Any) -> bool:
    """Whether a regular expression finds what it says."""
    match pattern:
        case {"Literal": {"Scalar": {"String": str(text)}}}:
            return _OF_PATTERNS.isdisjoint(text)
    return False


def _cast(value: _Value, kind: type[pl.DataType]) -> _Value:
    """A number as one of a type that has all of its values, or as a float, which both round in the same way."""
    own = type(value.dtype)
    if kind in _INTEGERS:
        if own not in _INTEGERS:
            raise Untranslatable
        sql_type, least, behind = _INTEGERS[kind]
        if _INTEGERS[own][1] < least or _INTEGERS[own][2] > behind:
            raise Untranslatable
    elif own in _INTEGERS or (own is pl.Float32 and kind is pl.Float64):
        sql_type = "DOUBLE" if kind is pl.Float64 else "FLOAT"
    else:
        raise Untranslatable
    return _Value(f"CAST({value.sql} AS {sql_type})", kind())
