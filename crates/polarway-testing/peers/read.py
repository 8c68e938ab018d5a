"""Reads every file of a folder with pyarrow, polars and DuckDB, and leaves what each of them read beside it as an Arrow stream
`<file>.<peer>`, or why it could not as text in `<file>.<peer>.error`."""

import pathlib
import sys

import duckdb
import polars
import pyarrow
import pyarrow.parquet


def by_pyarrow(file):
    if file.suffix == ".arrow":
        table = pyarrow.ipc.open_stream(file).read_all()
    else:
        table = pyarrow.parquet.read_table(file)
    # What pandas is made of: one dictionary for all rows.
    return table.unify_dictionaries()


def by_polars(file):
    if file.suffix == ".arrow":
        return polars.read_ipc_stream(file).to_arrow()
    return polars.read_parquet(file).to_arrow()


def by_duckdb(file):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection.execute("FROM read_parquet(?)", [str(file)]).to_arrow_table()


PEERS = {"pyarrow": by_pyarrow, "polars": by_polars, "duckdb": by_duckdb}

for file in sorted(pathlib.Path(sys.argv[1]).iterdir()):
    for name, read in PEERS.items():
        if file.suffix == ".arrow" and name == "duckdb":
            continue  # it reads no Arrow streams by itself
        target = file.with_name(f"{file.name}.{name}")
        try:
            table = read(file)
            with pyarrow.ipc.new_stream(target, table.schema) as stream:
                stream.write_table(table)
        except BaseException as error:  # polars' panics are no Exceptions
            target.unlink(missing_ok=True)
            text = " ".join(f"{type(error).__name__}: {error}".split())
            pathlib.Path(f"{target}.error").write_text(text, encoding="utf-8")
