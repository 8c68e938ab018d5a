"""The Python client's side of `cargo xtask bench --python`: client.py DATA WORK SERVER SOURCE.

Reads names of measures from standard input and answers each with a line of JSON, as `peers.py` does. SERVER is the program of the
server, SOURCE the folder that has the client's package. Two servers run beside this program: one with a cache that has room for all
tables, and one without. What is loaded is the same table that `flight.py` serves.
"""

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import time
from functools import cache
from pathlib import Path

DATA, WORK, SERVER, SOURCE = sys.argv[1:]
sys.path.insert(0, SOURCE)

import polarway  # noqa: E402
import pyarrow  # noqa: E402
import pyarrow.ipc  # noqa: E402
from answering import answer_all, seconds_of  # noqa: E402
from wide import ROWS as WIDE_ROWS, wide_table  # noqa: E402

# A server on a network asks for it.
TOKEN = "bench-R5t0yq2cVn8"
SMALL_ROWS = 1_000
SHORT_CALLS = 501
IMPORTS = "import time, polars, pyarrow, grpc; began = time.perf_counter(); import polarway; print(time.perf_counter() - began)"

ENDING = contextlib.ExitStack()


@cache
def arrow_table():
    with pyarrow.ipc.open_file(Path(DATA) / "table.arrow") as reader:
        return reader.read_all()


@cache
def server(cache_gigabytes):
    """A client of a server with a cache of this size, and the server's folder."""
    folder = Path(WORK) / f"cache-{cache_gigabytes}"
    command = [SERVER, "--bind", "127.0.0.1:0", "--janitor-interval", "never", "--cache-size", cache_gigabytes]
    command += ["--metrics", "--metrics-port", "0", "--data-dir", folder]
    environment = {**os.environ, "POLARWAY_AUTH_TOKEN": TOKEN, "RUST_LOG": "info"}
    log = folder.with_suffix(".log")
    folder.parent.mkdir(parents=True, exist_ok=True)
    process = subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stderr=log.open("w"))
    ENDING.callback(process.wait)
    ENDING.callback(process.terminate)
    while "listening on " not in log.read_text():
        assert process.poll() is None, log.read_text()
        time.sleep(0.01)
    address = log.read_text().split("listening on ", 1)[1].split()[0]
    return polarway.DistributedClient(address, auth_token=TOKEN, timeout=120), folder


@cache
def cached():
    """A client whose server has the tables in its cache."""
    client, _ = server("4.0")
    tables = {"stored": arrow_table(), "small": arrow_table().slice(0, SMALL_ROWS), "wide": wide_table()}
    for name, table in tables.items():
        client.store(name, table)
        client.load(name, as_="arrow")
    return client


def load(name, as_, rows=None):
    table = cached().load(name, as_=as_)
    assert len(table) == (rows or arrow_table().num_rows)
    return table


def load_small(as_):
    """What is too short to be measured once: the median of many."""
    seconds = []
    for _ in range(SHORT_CALLS):
        start = time.perf_counter()
        load("small", as_, SMALL_ROWS)
        seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def uncached_ready():
    return server("0"), arrow_table()


def store():
    client, folder = server("0")
    start = time.perf_counter()
    client.store("store", arrow_table())
    seconds = time.perf_counter() - start
    shutil.rmtree(folder / "cold" / "store")
    return seconds


def imported():
    """The time of the package beside that of what it imports, in a Python of its own."""
    environment = {**os.environ, "PYTHONPATH": SOURCE}
    run = subprocess.run([sys.executable, "-c", IMPORTS], env=environment, capture_output=True, text=True, check=True)
    return float(run.stdout)


# What runs once before the clock does, and what runs under it.
MEASURES = {
    "python-load-arrow": (cached, lambda: load("stored", "arrow")),
    "python-load-polars": (cached, lambda: load("stored", "polars")),
    "python-wide-arrow": (cached, lambda: load("wide", "arrow", WIDE_ROWS)),
    "python-wide-polars": (cached, lambda: load("wide", "polars", WIDE_ROWS)),
    "python-small-arrow": (cached, lambda: load_small("arrow")),
    "python-small-polars": (cached, lambda: load_small("polars")),
    "python-store": (uncached_ready, store),
    "python-import": (lambda: None, imported),
}


def main():
    with ENDING:
        answer_all(lambda name: seconds_of(*MEASURES[name]))


main()
