"""One of the peers as a process of its own, which a malformed file may end: reads the files whose names come on standard input.

An answer is its length in eight bytes and a pickle of what was found.
"""

import os
import pickle
import resource
import sys

import pyarrow as pa
import pyarrow.parquet

from corpus_values import columns

MOST_ROWS = 1_000_000
MOST_MEMORY = 8 << 30


def by_pyarrow(path, kind):
    if kind == "parquet":
        table = pa.parquet.ParquetFile(path, page_checksum_verification=True).read()
    else:
        with pa.OSFile(path) as file:
            reader = pa.ipc.open_file(file) if kind == "arrow file" else pa.ipc.open_stream(file)
            table = reader.read_all()
    table.validate(full=True)
    return table


def by_duckdb(path, kind):
    import duckdb

    if kind != "parquet":
        return None
    quoted = path.replace("'", "''")
    options = "hive_partitioning=false, union_by_name=false"
    return duckdb.connect().sql(f"SELECT * FROM read_parquet('{quoted}', {options})").to_arrow_table()


def by_polars(path, kind):
    import polars as pl

    if kind == "parquet":
        table = pl.read_parquet(path, glob=False, hive_partitioning=False)
    elif kind == "arrow file":
        table = pl.read_ipc(path)
    else:
        table = pl.read_ipc_stream(path)
    return table.to_arrow()


READERS = {"pyarrow": by_pyarrow, "duckdb": by_duckdb, "polars": by_polars}


def found(reader, path, kind):
    """Rows and columns; without the latter where there are very many rows; or what went wrong."""
    try:
        table = reader(path, kind)
        if table is None:
            return None
        return (table.num_rows, columns(table) if table.num_rows <= MOST_ROWS else None)
    except BaseException as error:  # polars' panics are no Exceptions
        return " ".join(f"{type(error).__name__}: {error}".split())


def main():
    reader = READERS[sys.argv[1]]
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    for line in sys.stdin:
        path, kind = line.rstrip("\n").split("\t")
        answer = pickle.dumps(found(reader, path, kind))
        answers.write(len(answer).to_bytes(8, "little") + answer)
        answers.flush()


main()
