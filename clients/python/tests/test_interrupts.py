"""Ctrl-C, and processes that are forked."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import IO

import pytest

import polarway
from polarway import DistributedClient

SOURCE = Path(__file__).parents[1] / "src"
PATIENCE_S = 60

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(100000000) b"

BLOCKING = f"""
with polarway.DistributedClient(address) as client:
    client.query("SELECT 1")
    print("ready", flush=True)
    client.query("{ENDLESS}")
"""

STREAM = """
with polarway.DistributedClient(address) as client:
    stream = client.query_stream("SELECT a.range FROM range(100000000) a, range(100000000) b")
    next(stream)
    print("ready", flush=True)
    for piece in stream:
        pass
"""

AWAITED = f"""
import asyncio
async def main():
    async with polarway.AsyncDistributedClient(address) as client:
        await client.query("SELECT 1")
        print("ready", flush=True)
        await client.query("{ENDLESS}")
asyncio.run(main())
"""

SCAN = """
import polars as pl
with polarway.DistributedClient(address) as client:
    numbers = client.scan("SELECT range AS n FROM range(3000000)").filter(pl.col("n") >= 0, pl.col("n") % 7 == 3)
    print("ready", flush=True)
    while True:
        numbers.collect(engine="streaming")
"""


def script(text: str, address: str) -> list[str]:
    """A Python that runs this text in a process of its own."""
    begin = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import polarway; address = {address!r}\n"
    return [sys.executable, "-c", begin + textwrap.dedent(text)]


@pytest.mark.parametrize("text", [BLOCKING, STREAM, AWAITED, SCAN], ids=["query", "stream", "asyncio", "scan"])
def test_ctrl_c_ends_the_program_and_the_query(text: str, address: str) -> None:
    with DistributedClient(address) as observer:
        _until_no_query_runs(observer)
        with subprocess.Popen(
            script(text, address), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as running:
            assert running.stdout is not None
            assert _line(running.stdout) == "ready"
            while not observer.queries():
                pass
            running.send_signal(signal.SIGINT)
            _, errors = running.communicate(timeout=PATIENCE_S)
            assert errors.strip().endswith("KeyboardInterrupt")
        _until_no_query_runs(observer)


def _until_no_query_runs(observer: DistributedClient) -> None:
    """Waits until the server has ended what a connection that broke, here or in another test, has left."""
    end = time.monotonic() + PATIENCE_S
    while running := observer.queries():
        assert time.monotonic() < end, running


LOADS = """
with polarway.DistributedClient(address) as client:
    client.load("big")
    print("ready", flush=True)
    while True:
        client.load("big")
"""


def test_ctrl_c_ends_a_load(with_tables: str) -> None:
    with subprocess.Popen(
        script(LOADS, with_tables), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert _line(running.stdout) == "ready"
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE_S)
        assert errors.strip().endswith("KeyboardInterrupt")


def _line(output: IO[str]) -> str:
    return output.readline().strip()


# What comes first says that the server takes the upload: a batch is made when there is room for it.
ENDLESS_ROWS = """
import pyarrow as pa
def rows():
    batch = pa.record_batch([pa.array(range(200_000))], ["n"])
    for count in range(1_000_000):
        if count == 20:
            print("ready", flush=True)
        yield batch
reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), rows())
"""

STORE = f"""
{ENDLESS_ROWS}
with polarway.DistributedClient(address) as client:
    client.store("interrupted", reader)
"""

STORE_AWAITED = f"""
import asyncio
{ENDLESS_ROWS}
async def main():
    async with polarway.AsyncDistributedClient(address) as client:
        await client.store("interrupted", reader)
asyncio.run(main())
"""


@pytest.mark.parametrize("text", [STORE, STORE_AWAITED], ids=["threads", "asyncio"])
def test_ctrl_c_ends_the_program_and_its_upload(text: str, address: str) -> None:
    with subprocess.Popen(script(text, address), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        assert running.stdout is not None
        assert _line(running.stdout) == "ready"
        running.send_signal(signal.SIGINT)
        _, errors = running.communicate(timeout=PATIENCE_S)
        assert errors.strip().endswith("KeyboardInterrupt")
    with DistributedClient(address) as client, pytest.raises(polarway.DatasetNotFound):
        client.load("interrupted")


FORKED = """
import os, polars
client = polarway.DistributedClient(address)
client.store("of_parent", polars.DataFrame({"n": [1, 2, 3]}))
client.load("of_parent")
child = os.fork()
if child == 0:
    for ask in (client.datasets, lambda: client.load("of_parent")):
        try:
            ask()
        except polarway.PolarwayError as error:
            print(type(error).__name__, error, flush=True)
    client.close()
    with polarway.DistributedClient(address) as own:
        print(own.health_check(), flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(client.load("of_parent")["n"].to_list(), flush=True)
"""

FORKED_ASYNC = """
import asyncio, os
client = polarway.AsyncDistributedClient(address)
asyncio.run(client.health_check())
child = os.fork()
if child == 0:
    try:
        asyncio.run(client.datasets())
    except polarway.PolarwayError as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(asyncio.run(client.health_check()), flush=True)
"""


def lines_of(text: str, address: str) -> list[str]:
    run = subprocess.run(script(text, address), capture_output=True, text=True, timeout=PATIENCE_S, check=True)
    return run.stdout.splitlines()


def test_a_client_is_not_for_a_process_that_was_forked_and_says_so(address: str) -> None:
    *refused, own, parents = lines_of(FORKED, address)
    assert len(refused) == 2
    for line in refused:
        assert line.startswith("PolarwayError this client belongs to the process from which this one was forked")
    assert (own, parents) == ("OK", "[1, 2, 3]")


def test_a_client_for_asyncio_says_so_as_well(address: str) -> None:
    refused, parents = lines_of(FORKED_ASYNC, address)
    assert refused.startswith("PolarwayError this client belongs to the process from which this one was forked")
    assert parents == "OK"


FORKED_WHILE_BUSY = """
import os, threading
client = polarway.DistributedClient(address)
stream = client.query_stream("SELECT a.range FROM range(100000000) a, range(100000000) b")
def read():
    for piece in stream:
        pass
threading.Thread(target=read, daemon=True).start()
client.query("SELECT 1")
child = os.fork()
if child == 0:
    try:
        with polarway.DistributedClient(address, timeout=10) as own:
            print(own.health_check(), flush=True)
    except polarway.PolarwayError as error:
        print(type(error).__name__, error, flush=True)
    os._exit(0)
os.waitpid(child, 0)
os._exit(0)
"""


def test_a_process_that_was_forked_during_a_call_can_make_a_client_of_its_own(address: str) -> None:
    assert lines_of(FORKED_WHILE_BUSY, address) == ["OK"]


def test_a_client_goes_to_another_process_as_a_pickle(address: str, tmp_path: Path) -> None:
    begin = f"import sys; sys.path.insert(0, {str(SOURCE)!r}); import multiprocessing, polarway\n"
    text = """
        def ask(client):
            return client.health_check()

        if __name__ == "__main__":
            with multiprocessing.get_context("spawn").Pool(1) as pool:
                print(pool.apply(ask, [polarway.DistributedClient(sys.argv[1])]))
    """
    program = tmp_path / "program.py"
    program.write_text(begin + textwrap.dedent(text))
    run = [sys.executable, str(program), address]
    output = subprocess.run(run, capture_output=True, text=True, timeout=PATIENCE_S, check=True).stdout
    assert output.strip() == "OK"
