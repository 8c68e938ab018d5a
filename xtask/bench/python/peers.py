"""The peers' side of `cargo xtask bench`: peers.py DATA WORK.

Reads names of measures from standard input and answers each with a line of JSON. What is written is fsynced within the
measured time, as Polarway does before it acknowledges.
"""

import os
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

import duckdb
import polars
import pyarrow
import pyarrow.flight
import pyarrow.ipc
import pyarrow.parquet

from answering import answer_all, seconds_of
from wide import ROWS as WIDE_ROWS

DATA, WORK = Path(sys.argv[1]), Path(sys.argv[2])
PARQUET = DATA / "table.parquet"
WRITTEN = WORK / "written.parquet"


@cache
def arrow_table():
    with pyarrow.ipc.open_file(DATA / "table.arrow") as reader:
        return reader.read_all()


@cache
def polars_frame():
    return polars.from_arrow(arrow_table())


@cache
def duckdb_connection():
    """A connection that holds the rows in a table of DuckDB's own, which it copies faster than Arrow's."""
    connection = duckdb.connect()
    source = arrow_table()
    connection.register("source", source)
    connection.execute("CREATE TABLE stored AS SELECT * FROM source")
    connection.unregister("source")
    return connection


@cache
def flight_client():
    """A client of a Flight server in a process of its own, which ends with this one."""
    script = Path(__file__).with_name("flight.py")
    server = subprocess.Popen(
        [sys.executable, script, DATA, os.environ["POLARWAY_BENCH_FLIGHT_PORT"]], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return pyarrow.flight.connect(f"grpc://127.0.0.1:{int(server.stdout.readline())}"), server


@cache
def flight_tls_client():
    """The same with TLS, and a certificate of its own."""
    WORK.mkdir(parents=True, exist_ok=True)
    certificate, key = WORK / "flight.crt", WORK / "flight.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-noenc", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-days", "2",
         "-subj", "/CN=flight", "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )
    script = Path(__file__).with_name("flight.py")
    server = subprocess.Popen(
        [sys.executable, script, DATA, "0", certificate, key], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    url = f"grpc+tls://127.0.0.1:{int(server.stdout.readline())}"
    return pyarrow.flight.connect(url, tls_root_certs=certificate.read_bytes()), server


def fsync(path):
    descriptor = os.open(path, os.O_RDONLY)
    os.fsync(descriptor)
    os.close(descriptor)


def read_pyarrow():
    return pyarrow.parquet.read_table(PARQUET)


def read_polars():
    return polars.read_parquet(PARQUET)


def write_duckdb():
    duckdb_connection().execute(
        f"COPY stored TO '{WRITTEN}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 3)"
    )
    fsync(WRITTEN)


def write_polars():
    polars_frame().write_parquet(WRITTEN, compression="zstd", compression_level=3)
    fsync(WRITTEN)


def write_pyarrow():
    pyarrow.parquet.write_table(arrow_table(), WRITTEN, compression="zstd", compression_level=3)
    fsync(WRITTEN)


@cache
def nginx_client():
    """A client of that server behind nginx, which the other side of the bench has started by now."""
    flight_client()
    return pyarrow.flight.connect(f"grpc://127.0.0.1:{os.environ['POLARWAY_BENCH_NGINX_PORT']}")


def flight_get(what, client=None):
    client = client or flight_client()[0]
    table = client.do_get(pyarrow.flight.Ticket(what)).read_all()
    assert table.num_rows == arrow_table().num_rows
    return table


def flight_get_wide():
    table = flight_client()[0].do_get(pyarrow.flight.Ticket(b"wide")).read_all()
    assert table.num_rows == WIDE_ROWS
    return table


def flight_get_small(client, convert=lambda table: table):
    """What is too short to be measured once: the median of many."""
    seconds = []
    for _ in range(501):
        start = time.perf_counter()
        table = convert(client.do_get(pyarrow.flight.Ticket(b"small")).read_all())
        seconds.append(time.perf_counter() - start)
        assert len(table) == 1000
    return statistics.median(seconds)


def flight_put(client):
    table = arrow_table()
    descriptor = pyarrow.flight.FlightDescriptor.for_path("table")
    writer, _ = client.do_put(descriptor, table.schema)
    writer.write_table(table, max_chunksize=65_536)
    writer.close()


def flight_ready():
    flight_client(), arrow_table()


def flight_tls_ready():
    flight_tls_client(), arrow_table()


# What runs once before the clock does, and what runs under it.
MEASURES = {
    "pyarrow.parquet.read_table": (lambda: None, read_pyarrow),
    "polars.read_parquet": (lambda: None, read_polars),
    "duckdb.copy": (duckdb_connection, write_duckdb),
    "polars.write_parquet": (polars_frame, write_polars),
    "pyarrow.parquet.write_table": (arrow_table, write_pyarrow),
    "flight.do_get": (flight_ready, lambda: flight_get(b"memory")),
    "flight.do_get_polars": (flight_ready, lambda: polars.from_arrow(flight_get(b"memory"))),
    "flight.do_get_wide": (flight_client, flight_get_wide),
    "flight.do_get_wide_polars": (flight_client, lambda: polars.from_arrow(flight_get_wide())),
    "flight.do_get_small": (flight_client, lambda: flight_get_small(flight_client()[0])),
    "flight.do_get_small_polars": (flight_client, lambda: flight_get_small(flight_client()[0], polars.from_arrow)),
    "flight.do_get_parquet": (flight_ready, lambda: flight_get(b"parquet")),
    "flight.do_get_nginx": (lambda: (nginx_client(), arrow_table()), lambda: flight_get(b"memory", nginx_client())),
    "flight.do_get_small_nginx": (nginx_client, lambda: flight_get_small(nginx_client())),
    "flight.do_put": (flight_ready, lambda: flight_put(flight_client()[0])),
    "flight.do_get_tls": (flight_tls_ready, lambda: flight_get(b"memory", flight_tls_client()[0])),
    "flight.do_put_tls": (flight_tls_ready, lambda: flight_put(flight_tls_client()[0])),
}


def measure(name):
    WRITTEN.unlink(missing_ok=True)
    seconds = seconds_of(*MEASURES[name])
    WRITTEN.unlink(missing_ok=True)
    return seconds


def main():
    WORK.mkdir(parents=True, exist_ok=True)
    answer_all(measure)


main()
