"""Several steps over a table as one SQL text. Each step reads the result of the step before as the table `self`.

Nothing here makes a call. The clients' lazy queries and handles have these steps as methods, and run the text.
"""

from __future__ import annotations

import dataclasses
import operator
from collections.abc import Iterable, Sequence
from typing import Final, Literal, NoReturn, get_args

from polarway._expression import Column, Names, column, expression, shown, sort_key, statement
from polarway._sql import folded, identifier, literal
from polarway.errors import InvalidInput

JoinHow = Literal["inner", "left", "right", "full", "semi", "anti"]
"""The kind of a join.

`inner`: pairs of rows that match. `left`, `right`: these, and the rows of that side that have no match, with nulls on
the other. `full`: these, and the rows of both sides that have no match. `semi`, `anti`: the rows of the left that have
a match, once each, or that have none, without the columns of the right.
"""

_JOINS: Final[tuple[str, ...]] = get_args(JoinHow)
_WITHOUT_THE_RIGHT: Final = ("semi", "anti")

# What a text or several texts are given as.
Texts = str | Iterable[str]


@dataclasses.dataclass(frozen=True, slots=True)
class Source:
    """The right side of a join."""

    # The SQL after JOIN.
    relation: str
    # Its columns, if they are known.
    columns: tuple[str, ...] | None
    # What must not be dropped before the query has run.
    held: tuple[object, ...] = ()

    @classmethod
    def dataset(cls, name: str) -> Source:
        """A dataset."""
        if not isinstance(name, str):
            raise InvalidInput(f"{shown(name)} is nothing to join with: a dataset's name, a handle or a lazy query is")
        if "\0" in name:
            raise InvalidInput("a name with a NUL character is no dataset's")
        # `self` is the query itself; a dataset of that name is found under its longer name.
        schema = "main." if folded(name) == b"self" else ""
        return cls(schema + identifier(name), None)

    @classmethod
    def handle(cls, handle_id: str, columns: Iterable[str], held: object) -> Source:
        """A handle, by its id and the names of its columns."""
        return cls(identifier(handle_id), tuple(columns), (held,))


@dataclasses.dataclass(frozen=True, slots=True)
class Steps:
    """The text of all steps until now."""

    sql: str
    # The names of the columns, if they are known from the steps.
    columns: tuple[str, ...] | None
    # What must not be dropped before the query has run.
    held: tuple[object, ...] = ()

    @classmethod
    def of_handle(cls, handle_id: str, columns: Iterable[str], held: object) -> Steps:
        """No steps yet: the rows of a handle."""
        return cls(f"FROM {identifier(handle_id)}", tuple(columns), (held,))

    def as_source(self) -> Source:
        """These steps as the right side of a join."""
        return Source(f"(\n{self.sql}\n) AS other", self.columns, self.held)

    def filter(self, condition: str) -> Steps:
        """The rows for which the condition is true."""
        return self._step(f"SELECT * FROM self WHERE {expression(condition)}", self.columns)

    def select(self, columns: Sequence[Texts]) -> Steps:
        """These columns of all rows."""
        items = [column(text) for text in _flat(columns)]
        if not items:
            _refuse_none("columns to select")
        return self._step(f"SELECT {_sql(items)} FROM self", _names(items, self.columns))

    def with_columns(self, columns: Sequence[Texts]) -> Steps:
        """All columns and these, which replace those of the same name."""
        items = [_named(text) for text in _flat(columns)]
        if not items:
            _refuse_none("columns to add")
        seen: set[bytes] = set()
        for name, _ in items:
            if folded(name) in seen:
                raise InvalidInput(f"two columns are to be called {shown(name)}")
            seen.add(folded(name))
        if self.columns is None:
            names = ", ".join(literal(name.lower()) for name, _ in items)
            added = ", ".join(sql for _, sql in items)
            return self._step(f"SELECT COLUMNS(lambda name: lower(name) NOT IN ({names})), {added} FROM self", None)
        before = {folded(name) for name in self.columns}
        replaced = ", ".join(sql for name, sql in items if folded(name) in before)
        added_items = [(name, sql) for name, sql in items if folded(name) not in before]
        parts = [f"* REPLACE ({replaced})" if replaced else "*", *(sql for _, sql in added_items)]
        after = (*self.columns, *(name for name, _ in added_items))
        return self._step(f"SELECT {', '.join(parts)} FROM self", after)

    def aggregate(self, keys: Sequence[Texts], aggregates: Sequence[Texts]) -> Steps:
        """One row for each group: its keys, and these aggregates."""
        key_items = [column(text) for text in _flat(keys)]
        if any(item.names is Names.ALL for item in key_items):
            raise InvalidInput("* is no key to group by: `distinct` groups by all")
        if not key_items:
            _refuse_none("keys to group by")
        places = ", ".join(str(place) for place in range(1, len(key_items) + 1))
        items = key_items + [column(text) for text in _flat(aggregates)]
        return self._step(f"SELECT {_sql(items)} FROM self GROUP BY {places}", _names(items, None))

    def join(self, other: Source, on: Texts, how: JoinHow) -> Steps:
        """Pairs of rows that are equal in the columns `on`."""
        if how not in _JOINS:
            raise InvalidInput(f"{shown(how)} is no kind of join: there are {', '.join(_JOINS)}")
        names = _flat([on])
        for name in names:
            if not isinstance(name, str) or not name or "\0" in name:
                raise InvalidInput(f"{shown(name)} is no name of a column to join on")
        if not names:
            _refuse_none("columns to join on")
        using = ", ".join(identifier(name) for name in names)
        columns = self.columns if how in _WITHOUT_THE_RIGHT else _joined(self.columns, other.columns, names)
        # With the inner SELECT, DuckDB renames columns of one name before they are a result.
        inside = f"SELECT * FROM self {how.upper()} JOIN {other.relation} USING ({using})"
        step = self._step(f"SELECT * FROM ({inside})", columns)
        return dataclasses.replace(step, held=self.held + other.held)

    def sort(self, by: Sequence[Texts]) -> Steps:
        """The rows, sorted by these expressions."""
        keys = [sort_key(text) for text in _flat(by)]
        if not keys:
            _refuse_none("expressions to sort by")
        return self._step(f"SELECT * FROM self ORDER BY {', '.join(keys)}", self.columns)

    def limit(self, rows: int) -> Steps:
        """The first rows."""
        return self._step(f"SELECT * FROM self LIMIT {row_count(rows)}", self.columns)

    def distinct(self) -> Steps:
        """Each different row once."""
        return self._step("SELECT DISTINCT * FROM self", self.columns)

    def query(self, sql: str) -> Steps:
        """The result of a SELECT of the user's own, in which the table `self` is the input."""
        # The line break ends a comment at the end of the text.
        return self._step(f"SELECT * FROM (\n{statement(sql)}\n)", None)

    def _step(self, select: str, columns: tuple[str, ...] | None) -> Steps:
        """Adds a SELECT over the result of the step before."""
        # Most steps are read once. If one is not materialized, DuckDB optimizes through it: filters reach the files.
        return Steps(f"WITH self AS NOT MATERIALIZED (\n{self.sql}\n)\n{select}", columns, self.held)


def row_count(rows: int) -> int:
    """A number of rows that a user gave.

    Raises:
        InvalidInput: It is none.
    """
    try:
        count = operator.index(rows)
    except TypeError:
        count = -1
    if not 0 <= count < 1 << 63:
        raise InvalidInput(f"{shown(rows)} is no number of rows")
    return count


def _flat(texts: Sequence[Texts]) -> list[str]:
    """Texts that were given one by one, or in lists."""
    flat: list[str] = []
    for text in texts:
        if isinstance(text, str) or not isinstance(text, Iterable):
            flat.append(text)
        else:
            flat.extend(text)
    return flat


def _named(text: str) -> tuple[str, str]:
    """The name of a column to add, and its SQL after SELECT."""
    item = column(text)
    if item.alias is None:
        raise InvalidInput(f"{shown(text)} has no name: write `… AS name`")
    return item.alias, item.sql


def _sql(items: Iterable[Column]) -> str:
    return ", ".join(item.sql for item in items)


def _refuse_none(what: str) -> NoReturn:
    raise InvalidInput(f"there are no {what}: name one or more")


def _names(items: Iterable[Column], before: tuple[str, ...] | None) -> tuple[str, ...] | None:
    """The names of the columns of a result, if all are known and different."""
    names: list[str] = []
    for item in items:
        if isinstance(item.names, str):
            names.append(item.names)
        elif item.names is Names.ALL and before is not None:
            names.extend(before)
        else:
            return None
    return _if_distinct(names)


def _joined(left: tuple[str, ...] | None, right: tuple[str, ...] | None, on: Iterable[str]) -> tuple[str, ...] | None:
    """The names of the columns after a join."""
    if left is None or right is None:
        return None
    keys = {folded(name) for name in on}
    return _if_distinct([*left, *(name for name in right if folded(name) not in keys)])


def _if_distinct(names: list[str]) -> tuple[str, ...] | None:
    return tuple(names) if len({name.lower() for name in names}) == len(names) else None
