"""Tables that come from the server, as polars, pandas or Arrow."""

from __future__ import annotations

import importlib.util
from collections.abc import Callable, Sequence
from typing import Any, Final, Literal, TypeAlias

import polars as pl
import pyarrow as pa

from polarway import _integers128, _pandas
from polarway._names import distinct
from polarway._plain_arrow import as_plain, plain_type
from polarway.errors import InvalidInput

As: TypeAlias = Literal["polars", "pandas", "arrow"]
"""What a table comes out as: a `polars.DataFrame`, a `pandas.DataFrame` or a `pyarrow.Table`."""


class Incoming:
    """Turns the batches of one table into a `pyarrow.Table`; the classes below it, into frames.

    Batches are converted in groups, while others arrive: `piece` takes some that follow one another, and `joined`
    makes one table of all pieces, in their order. Both may take long, and belong on a thread of their own.
    """

    takes_long = False
    """Whether a piece takes time for each row."""

    def __init__(self, schema: Any) -> None:
        self._schema = schema

    def piece(self, batches: Sequence[Any]) -> Any:
        """Some batches, converted as far as this can be done for each group."""
        return pa.Table.from_batches(batches, schema=self._schema)

    def joined(self, pieces: Sequence[Any]) -> Any:
        """The table of these pieces; without any, one without rows."""
        return pa.concat_tables(pieces or [self._schema.empty_table()])


class _ToPandas(Incoming):
    """Columns, index and types are those of the frame that was stored, if it was pandas'."""

    def joined(self, pieces: Sequence[Any]) -> Any:
        table = super().joined(pieces)
        names = table.column_names
        # Only a query's result has columns of one name.
        table = table.rename_columns(distinct(names)) if len(set(names)) < len(names) else table
        return _converted_by(_pandas.from_arrow, table, "pandas")


class _ToPolars(Incoming):
    """Columns of types that polars lacks are converted; those of one name get a number."""

    # Texts are, too: polars has them as views.
    takes_long = True

    def __init__(self, schema: Any) -> None:
        super().__init__(schema)
        found, types = schema.names, schema.types
        # Upper and lower case are different in polars: a table without columns of one name keeps its names.
        names = distinct(found) if len(set(found)) < len(found) else found
        plain = list(map(plain_type, types))
        # Most tables are as polars has them, and to make a schema takes longer than to see this.
        self._is_converted = names is not found or any(new is not old for new, old in zip(plain, types, strict=True))
        self._plain = _renamed(schema, names, plain) if self._is_converted else schema
        self._marked = [field for field in self._plain if _integers128.is_marked(field)]

    def piece(self, batches: Sequence[Any]) -> pl.DataFrame:
        if self._is_converted:
            batches = [self._converted(batch) for batch in batches]
        table = pa.Table.from_batches(batches, schema=self._plain)
        frame: pl.DataFrame = _converted_by(_as_frame, table, "polars")
        return self._restored(frame) if self._marked else frame

    def joined(self, pieces: Sequence[pl.DataFrame]) -> pl.DataFrame:
        return pl.concat(pieces or [self.piece([])], rechunk=False)

    def _converted(self, batch: Any) -> Any:
        columns = [as_plain(column, field.type) for column, field in zip(batch.columns, self._plain, strict=True)]
        return pa.record_batch(columns, schema=self._plain)

    def _restored(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The frame with the integers that Arrow lacks."""
        # A frame makes its schema anew each time.
        schema = frame.schema
        dtypes = {field.name: _integers128.restored(schema[field.name], field) for field in self._marked}
        return frame.with_columns(pl.col(name).cast(dtype) for name, dtype in dtypes.items())


def _renamed(schema: Any, names: Sequence[str], types: Sequence[Any]) -> Any:
    fields = zip(schema, names, types, strict=True)
    return pa.schema([field.with_name(name).with_type(data_type) for field, name, data_type in fields])


def _as_frame(table: Any) -> pl.DataFrame:
    # As a stream, polars takes it in a third of the time, and leaves a column without a name as it is.
    return pl.DataFrame(table.to_reader())


def _converted_by(convert: Callable[[Any], Any], table: Any, library: str) -> Any:
    """What a library makes of the table.

    Raises:
        InvalidInput: It refuses the table. The text names the first column that it refuses.
    """
    try:
        return convert(table)
    except BaseException as error:
        # A panic of polars is no `Exception`.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        if table.num_columns > 1:
            for name in table.column_names:
                _converted_by(convert, table.select([name]), library)
        what = ", ".join(f"column {field.name!r} of Arrow's type {field.type}" for field in table.schema)
        message = f'{library} can\'t take {what}: {error}; as_="arrow" gives it as it is'
        raise InvalidInput(message) from error


_KINDS: Final[dict[str, type[Incoming]]] = {"polars": _ToPolars, "pandas": _ToPandas, "arrow": Incoming}


def check_form(as_: str) -> None:
    """Refuses what is no form of a table, before anything is asked of the server.

    Raises:
        InvalidInput: It is none, or pandas is not installed.
    """
    if as_ not in _KINDS:
        raise InvalidInput(f'as_={as_!r}: a table comes out as "polars", "pandas" or "arrow"')
    if as_ == "pandas" and importlib.util.find_spec("pandas") is None:
        raise InvalidInput('as_="pandas" needs the package pandas, which is not installed')


def incoming(as_: As, schema: Any) -> Incoming:
    """What turns batches of this Arrow schema into the form that the user wants."""
    return _KINDS[as_](schema)
