"""Many callers of one client at the same time."""

from __future__ import annotations

import asyncio
import statistics
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc.aio
import polars as pl
import pytest

from polarway import AsyncDistributedClient, DistributedClient, PolarwayError, QueryError, _decode
from polarway._generated import messages, methods
from polarway._wire import encode
from tables import ROWS, WIDE

THREADS = 16
LOADS = 200


def test_sixteen_threads_share_a_client(with_tables: str) -> None:
    with DistributedClient(with_tables) as client, ThreadPoolExecutor(THREADS) as threads:

        def work(number: int) -> None:
            first = number * 1_000
            part = client.load("big", columns=["n"], rows=range(first, first + 50_000))
            assert part["n"].equals(pl.int_range(first, first + 50_000, eager=True).alias("n"))
            assert client.query("SELECT $1 * 2 AS twice", [number])["twice"].to_list() == [number * 2]
            assert sum(piece.height for piece in client.load_stream("big", rows=range(200_000))) == 200_000
            assert client.describe("wide").rows == WIDE.num_rows
            with pytest.raises(QueryError):
                client.query("SELEC")

        # Each has the work of several, so that they meet at all its steps.
        list(threads.map(work, range(THREADS * 3)))


def test_a_client_may_be_closed_while_others_use_it(with_tables: str) -> None:
    client = DistributedClient(with_tables)
    started = threading.Barrier(THREADS + 1)

    def work(_: int) -> type[BaseException] | None:
        started.wait()
        try:
            while True:
                client.load("big", rows=range(100_000))
        except PolarwayError as error:
            return type(error)

    with ThreadPoolExecutor(THREADS) as threads:
        ends = [threads.submit(work, number) for number in range(THREADS)]
        started.wait()
        client.close()
        assert all(end.result(60) is not None for end in ends)


def test_two_hundred_loads_of_one_client_for_asyncio_are_all_right(with_tables: str) -> None:
    async def load(client: AsyncDistributedClient, number: int) -> None:
        part = await client.load("big", columns=["n"], rows=range(number, number + 20_000))
        assert part["n"].equals(pl.int_range(number, number + 20_000, eager=True).alias("n"))

    async def loads() -> None:
        async with AsyncDistributedClient(with_tables) as client:
            await asyncio.gather(*(load(client, number) for number in range(LOADS)))

    asyncio.run(loads())


def test_a_task_that_is_cancelled_ends_its_call_and_no_other(with_tables: str) -> None:
    async def work() -> None:
        async with AsyncDistributedClient(with_tables) as client:
            endless = "SELECT count(*) FROM range(100000000) a, range(100000000) b"
            query = asyncio.create_task(client.query(endless))
            load = asyncio.create_task(client.load("big"))
            while not await client.queries():
                await asyncio.sleep(0)
            query.cancel()
            with pytest.raises(asyncio.CancelledError):
                await query
            while await client.queries():
                await asyncio.sleep(0)
            assert (await load).height == ROWS

    asyncio.run(asyncio.wait_for(work(), 60))


def test_nothing_is_decoded_on_the_event_loop(with_tables: str, monkeypatch: pytest.MonkeyPatch) -> None:
    threads: set[int] = set()
    for name in ("piece", "joined"):
        original = getattr(_decode.Table, name)

        def watched(*given: Any, original: Any = original) -> Any:
            threads.add(threading.get_ident())
            return original(*given)

        monkeypatch.setattr(_decode.Table, name, watched)

    async def calls() -> None:
        async with AsyncDistributedClient(with_tables) as client:
            await client.load("big")
            await client.query("SELECT 42 AS answer")
            async for _ in client.load_stream("wide"):
                pass
            await client.query_stream("SELECT 42 AS answer").read_all()

    asyncio.run(calls())
    assert threads
    assert threading.get_ident() not in threads


async def _latencies(work: Any) -> list[float]:
    """How late an event loop is while it does some work, in seconds."""
    late: list[float] = []
    loop = asyncio.get_running_loop()
    task = asyncio.ensure_future(work)
    while not task.done():
        wanted = loop.time() + 0.001
        await asyncio.sleep(0.001)
        late.append(loop.time() - wanted)
    await task
    return late


def test_an_event_loop_is_as_quick_as_with_grpc_alone(with_tables: str) -> None:
    """The baseline receives the same bytes with gRPC, and makes nothing of them."""
    at_once = 8

    async def bare() -> None:
        async with grpc.aio.insecure_channel(with_tables) as channel:
            method = channel.unary_stream(methods.LOAD.path)
            request = encode(messages.LoadRequest(name="big"))

            async def load() -> None:
                async for message in method(request):
                    len(message)

            await asyncio.gather(*(load() for _ in range(at_once)))

    async def ours() -> None:
        async with AsyncDistributedClient(with_tables) as client:
            await asyncio.gather(*(client.load("big") for _ in range(at_once)))

    async def compare() -> tuple[float, float]:
        worst: dict[Any, list[float]] = {bare: [], ours: []}
        for _ in range(3):
            for kind, found in worst.items():
                late = sorted(await _latencies(kind()))
                found.append(late[int(len(late) * 0.99)])
        return statistics.median(worst[bare]), statistics.median(worst[ours])

    began = time.monotonic()
    baseline, client = asyncio.run(compare())
    # The threads that decode share Python's lock with the event loop, on a machine that others use as well.
    assert client < 5 * baseline + 0.5, (baseline, client, time.monotonic() - began)
