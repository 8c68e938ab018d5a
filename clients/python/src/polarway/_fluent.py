"""The fluent methods: each is one more step over the rows of a handle."""

from __future__ import annotations

import abc
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from polarway._steps import JoinHow, Source, Steps, Texts

R = TypeVar("R")


class Fluent(abc.ABC, Generic[R]):
    """Steps over the rows of a handle.

    A handle does each step at once, on the server, and gives a handle of the result. A lazy query does nothing before
    its rows are requested: it gives a lazy query, whose steps become one query.

    An expression is a piece of DuckDB's SQL, such as `dep_delay / 60`. Each is checked to be a single one before
    anything is sent, so that no text can be more than one expression. Comments are not allowed in it. A subquery in one
    may read the table `self`, which is the input of the step. Values from users belong into parameters, `$name`, of
    `LazyQuery.collect`. Where a method takes several texts, they are given one by one or in lists.

    Raises:
        InvalidInput: Text that is not what a method takes. Nothing was sent.
    """

    @abc.abstractmethod
    def _steps(self) -> Steps:
        """The steps until here."""

    @abc.abstractmethod
    def _source(self) -> Source:
        """The rows, as the right side of a join."""

    @abc.abstractmethod
    def _after(self, steps: Steps) -> R:
        """What these steps give."""

    def filter(self, condition: str) -> R:
        """The rows for which the condition is true, in their order."""
        return self._after(self._steps().filter(condition))

    def select(self, *columns: Texts) -> R:
        """These columns of all rows, in their order: `carrier`, `dep_delay / 60 AS hours`, `*`.

        A column without AS has the name that DuckDB gives it. If all are aggregates, the result is one row.
        """
        return self._after(self._steps().select(columns))

    def with_columns(self, *columns: Texts) -> R:
        """All columns and these, each `expression AS name`, of all rows in their order.

        A column whose name exists replaces that column; the others are added at the end. All are computed from the
        columns of the input. After `sql`, a `join` with a dataset, and a `select` of expressions without names, the
        client does not know the columns: then a replaced column moves to the end, too.
        """
        return self._after(self._steps().with_columns(columns))

    def group_by(self, *keys: Texts) -> GroupBy[R]:
        """The rows in groups, for `agg`. A key is an expression, with or without `AS name`."""
        return GroupBy(self._steps(), keys, self._after)

    def join(self, other: Fluent[Any] | str, on: Texts, how: JoinHow = "inner") -> R:
        """Joins the rows with those of a handle, a lazy query or a dataset, where the columns `on` are equal.

        The result has those columns once; of others that both have, the right one gets `_1` after its name. The rows
        have no defined order.

        Args:
            other: A handle, a lazy query, or the name of a dataset.
            on: The names of columns that both have.
            how: `"inner"`: pairs of rows that match. `"left"`, `"right"`: also the rows of that side that have no
                match, with nulls on the other. `"full"`: also those of both sides. `"semi"`, `"anti"`: the rows of the
                left that have a match, once each, or that have none, without the columns of the right.
        """
        source = other._source() if isinstance(other, Fluent) else Source.dataset(other)
        return self._after(self._steps().join(source, on, how))

    def sort(self, *by: Texts) -> R:
        """Sorts the rows by these expressions, each with an optional ASC, DESC, NULLS FIRST or NULLS LAST after it.

        By default the order is ascending, and nulls come last.
        """
        return self._after(self._steps().sort(by))

    def limit(self, rows: int) -> R:
        """The first rows."""
        return self._after(self._steps().limit(rows))

    def distinct(self) -> R:
        """Each different row once, in no defined order."""
        return self._after(self._steps().distinct())

    def sql(self, sql: str) -> R:
        """The result of your own SELECT, in which the table `self` is the input: `SELECT … FROM self WHERE …`.

        It is only checked to be one statement.
        """
        return self._after(self._steps().query(sql))


class Lazy(Fluent[R]):
    """Steps that have not run."""

    def __init__(self, client: Any, steps: Steps) -> None:
        self._client = client
        self._until_here = steps

    def to_sql(self) -> str:
        """The whole query."""
        return self._until_here.sql

    def _steps(self) -> Steps:
        return self._until_here

    def _source(self) -> Source:
        return self._until_here.as_source()

    def _after(self, steps: Steps) -> Any:
        return type(self)(self._client, steps)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self.to_sql()}>"


class GroupBy(Generic[R]):
    """Rows in groups. It does nothing before `agg`."""

    def __init__(self, steps: Steps, keys: tuple[Texts, ...], after: Callable[[Steps], R]) -> None:
        self._steps = steps
        self._keys = keys
        self._after = after

    def __repr__(self) -> str:
        return f"<GroupBy: {', '.join(map(str, self._keys))}>"

    def agg(self, *aggregates: Texts) -> R:
        """One row for each group: its keys, and these aggregates, such as `count(*) AS n`.

        Without aggregates, only the keys. The groups have no defined order.

        Raises:
            InvalidInput: No keys (`select` aggregates all rows), and text that is not a single expression, with or
                without `AS name`.
        """
        return self._after(self._steps.aggregate(self._keys, aggregates))
