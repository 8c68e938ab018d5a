"""The peers' side of `cargo xtask bench --cloud`: cloud_peers.py DATA WORK.

As peers.py, over the bucket that the POLARWAY_BENCH_BUCKET variables name: DuckDB with its own httpfs reads the file that Polarway
stored there, and ArcticDB writes the table.
"""

import os
import shutil
import sys
import time
from functools import cache
from pathlib import Path

import arcticdb
import duckdb
import duckdb_extension_httpfs
import pyarrow.ipc

from answering import answer_all, seconds_of

DATA = Path(sys.argv[1])
BUCKET, ADDRESS = os.environ["POLARWAY_BENCH_BUCKET"], os.environ["POLARWAY_BENCH_BUCKET_ADDRESS"]
FOLDER = Path(os.environ["POLARWAY_BENCH_BUCKET_FOLDER"])
KEY, SECRET, REGION = (os.environ[f"AWS_{name}"] for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "REGION"))
QUERY = "SELECT sum(c04) AS a, sum(c13) AS b, count(*) AS n FROM read_parquet('{}')"
PREFIX = "arcticdb"


@cache
def wide():
    """The URL of the file that Polarway has stored."""
    (file,) = (FOLDER / "bench/wide/_polarway/data").glob("*.parquet")
    return f"s3://{BUCKET}/{file.relative_to(FOLDER)}"


def connect():
    """A DuckDB that knows nothing of the bucket's files yet."""
    connection = duckdb.connect(config={"allow_unsigned_extensions": "true"})
    (extension,) = Path(duckdb_extension_httpfs.__file__).parent.rglob("httpfs.duckdb_extension")
    connection.execute(f"LOAD '{extension}'")
    connection.execute(
        f"CREATE SECRET (TYPE s3, KEY_ID '{KEY}', SECRET '{SECRET}', REGION '{REGION}', ENDPOINT '{ADDRESS}',"
        " URL_STYLE 'path', USE_SSL false)"
    )
    return connection


@cache
def warm():
    """A DuckDB that has answered the query once."""
    connection = connect()
    connection.execute(QUERY.format(wide())).fetchall()
    return connection


def query(connection):
    start = time.perf_counter()
    ((_, _, rows),) = connection.execute(QUERY.format(wide())).fetchall()
    seconds = time.perf_counter() - start
    assert rows > 0
    return seconds


def query_cold():
    connection = connect()
    try:
        return query(connection)
    finally:
        connection.close()


@cache
def frame():
    with pyarrow.ipc.open_file(DATA / "table.arrow") as reader:
        return reader.read_all().to_pandas()


@cache
def library():
    host, port = ADDRESS.split(":")
    url = f"s3://{host}:{BUCKET}?access={KEY}&secret={SECRET}&port={port}&region={REGION}&path_prefix={PREFIX}"
    return arcticdb.Arctic(url).get_library("bench", create_if_missing=True)


def write():
    start = time.perf_counter()
    library().write("table", frame(), prune_previous_versions=False)
    return time.perf_counter() - start


def remove_written():
    """Removes the segments of tables, which are large, and nothing that the library still reads."""
    for folder in FOLDER.glob(f"{PREFIX}*/**/tdata"):
        shutil.rmtree(folder)


MEASURES = {
    "duckdb.httpfs_cold": (lambda: None, query_cold, lambda: None),
    "duckdb.httpfs_again": (warm, lambda: query(warm()), lambda: None),
    "arcticdb.write": (lambda: (library(), frame()), write, remove_written),
}


def measure(name):
    prepare, run, tidy = MEASURES[name]
    try:
        return seconds_of(prepare, run)
    finally:
        tidy()


answer_all(measure)
