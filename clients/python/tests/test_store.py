"""Stores, appends and deletions by both clients, against a real server."""

from __future__ import annotations

import asyncio
import functools
import itertools
import threading
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import breaking_proxy
import clients
import polarway
from polarway import AsyncDistributedClient, DistributedClient
from polarway._generated import messages, methods
from polarway._request_id import of_table
from polarway._wire import decode, encode

_NUMBERS = itertools.count()


@pytest.fixture
def name() -> str:
    """A dataset of the test's own."""
    return f"store_{next(_NUMBERS)}"


def stored(address: str, name: str) -> Any:
    """The Arrow table that the server has."""
    with grpc.insecure_channel(address, [("grpc.max_receive_message_length", -1)]) as channel:
        answers = channel.unary_stream(methods.LOAD.path)(encode(messages.LoadRequest(name=name)))
        chunks = [decode(messages.LoadResponse, answer).chunk for answer in answers]
    return pa.ipc.open_stream(b"".join(chunk.ipc for chunk in chunks if chunk is not None)).read_all()


def wide(rows: int) -> pl.DataFrame:
    """A frame of some size."""
    return pl.DataFrame({"n": range(rows), "s": [f"text {row % 997} and more of it" for row in range(rows)]})


def test_a_table_is_stored_and_replaced_and_appended_to(client: Any, address: str, name: str) -> None:
    first = client.store(name, pl.DataFrame({"n": [1, 2]}))
    assert (first.name, first.version, first.rows, first.was_retry) == (name, 1, 2, False)
    second = client.store(name, pl.DataFrame({"n": [3]}))
    assert (second.version, second.rows) == (2, 1)
    third = client.append(name, pl.DataFrame({"n": pl.Series([4], dtype=pl.Int8)}))
    assert (third.version, third.rows) == (3, 2)
    assert third.time > second.time > first.time
    assert stored(address, name)["n"].to_pylist() == [3, 4]


def test_every_form_of_table_is_stored(client: Any, address: str, name: str) -> None:
    table = pa.table({"n": [1, 2], "s": ["x", None]})
    frame = pl.DataFrame(table)
    forms = [frame, frame.lazy(), table.to_pandas(), table, table.to_batches()[0], table.to_reader()]
    for form in forms:
        client.store(name, form)
        assert stored(address, name).to_pylist() == table.to_pylist()


def test_a_table_without_rows_is_stored(client: Any, address: str, name: str) -> None:
    assert client.store(name, pl.DataFrame(schema={"n": pl.Int8})).rows == 0
    assert stored(address, name).schema.field("n").type == pa.int8()


def test_conditions_are_those_of_the_server(client: Any, name: str) -> None:
    frame = pl.DataFrame({"n": [1]})
    client.store(name, frame, mode="create", expected_version=0)
    with pytest.raises(polarway.Conflict) as caught:
        client.store(name, frame, mode="create")
    assert caught.value.reason == "ALREADY_EXISTS"
    for write in client.store, client.append:
        with pytest.raises(polarway.Conflict) as caught:
            write(name, frame, expected_version=7)
        assert caught.value.reason == "VERSION_CONFLICT"
        assert caught.value.request_id is not None
    assert client.append(name, frame, expected_version=1).version == 2
    for mode in "append", "replace", None:
        with pytest.raises(polarway.InvalidInput, match="mode"):
            client.store(name, frame, mode=mode)
    for version in -1, 1 << 64:
        with pytest.raises(polarway.InvalidInput, match="expected_version"):
            client.store(name, frame, expected_version=version)


def test_rows_that_do_not_fit_are_refused_with_each_difference(client: Any, name: str) -> None:
    client.store(name, pl.DataFrame({"n": [1], "s": ["x"]}))
    with pytest.raises(polarway.SchemaMismatch) as caught:
        client.append(name, pl.DataFrame({"n": ["one"], "t": ["x"]}))
    assert all(column in str(caught.value) for column in ('"n"', '"s"', '"t"'))
    with pytest.raises(polarway.DatasetNotFound):
        client.append(f"{name}_other", pl.DataFrame({"n": [1]}))


@pytest.mark.parametrize("bad", ["", "no good", "a/b", "ä", "x" * 300, "h_" + "a" * 26])
def test_a_name_outside_the_grammar_is_refused(client: Any, bad: str) -> None:
    with pytest.raises(polarway.InvalidInput) as caught:
        client.store(bad, pl.DataFrame({"n": [1]}))
    assert caught.value.reason == "INVALID_NAME"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("bad", [5, b"name", ["name"], "\ud800"])
def test_a_name_that_is_no_text_is_refused(client: Any, bad: Any) -> None:
    calls = [client.load, client.describe, client.versions, client.delete]
    writes = [client.store, client.append]
    for call in [*calls, *(functools.partial(write, data=pl.DataFrame({"n": [1]})) for write in writes)]:
        with pytest.raises(polarway.InvalidInput, match="name"):
            call(bad)


def test_a_column_that_can_not_be_stored_is_named_by_the_server(client: Any, name: str) -> None:
    union = pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])])
    for column, array in ("u", union), ("r", pa.RunEndEncodedArray.from_arrays([1], [7])):
        with pytest.raises(polarway.InvalidInput, match=column) as caught:
            client.store(name, pa.table({"ok": [1], column: array}))
        assert caught.value.reason == "UNSUPPORTED"
    with pytest.raises(polarway.InvalidInput, match="twice"):
        client.store(name, pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["twice", "twice"]))


def test_a_column_that_arrow_lacks_is_named_and_nothing_is_sent(kind: str, address: str, name: str) -> None:
    objects = pl.DataFrame({"ok": [1], "odd": pl.Series([object()], dtype=pl.Object)})
    mixed = pd.DataFrame({"ok": [1, 2], "odd": [1, "two"]})
    with breaking_proxy.before(address) as before, clients.client(kind, before.address) as client:
        for frame in objects, objects.lazy(), mixed:
            for write in client.store, client.append, lambda name, frame: client.store_batch({name: frame}):
                with pytest.raises(polarway.InvalidInput, match="odd") as caught:
                    write(name, frame)
                assert name in str(caught.value)
        with pytest.raises(polarway.InvalidInput, match="is no table"):
            client.store(name, {"n": [1]})
        assert before.connections == 0


# Several tables


def test_several_tables_are_stored_in_one_call(client: Any, address: str, name: str) -> None:
    tables = {f"{name}_{index}": pl.DataFrame({"n": [index] * index}) for index in range(4)}
    published = client.store_batch(tables)
    assert list(published) == list(tables)
    assert [version.rows for version in published.values()] == [0, 1, 2, 3]
    assert stored(address, f"{name}_3")["n"].to_pylist() == [3, 3, 3]
    assert client.store_batch({}) == {}
    with pytest.raises(polarway.InvalidInput, match="dict"):
        client.store_batch([("a", tables)])


def test_a_table_of_several_that_fails_does_not_undo_another(client: Any, address: str, name: str) -> None:
    frame = pl.DataFrame({"n": [1]})
    tables = {"no good": frame, name: frame, f"{name}_empty": pl.DataFrame()}
    with pytest.raises(polarway.BatchFailed) as caught:
        client.store_batch(tables)
    failed = caught.value
    assert list(failed.published) == [name]
    assert {key: error.reason for key, error in failed.errors.items()} == {
        "no good": "INVALID_NAME",
        f"{name}_empty": "UNSUPPORTED",
    }
    assert str(failed).startswith("2 of 3 tables were not stored: 'no good': ")
    assert failed.request_id is not None
    assert stored(address, name)["n"].to_pylist() == [1]


# Deletions


def test_a_dataset_is_deleted_under_conditions(client: Any, name: str) -> None:
    client.store(name, pl.DataFrame({"n": [1]}))
    with pytest.raises(polarway.Conflict):
        client.delete(name, expected_version=9)
    assert client.delete(name, expected_version=1).version == 2
    assert [version.kind for version in client.versions(name)] == ["overwrite", "delete"]
    with pytest.raises(polarway.DatasetNotFound):
        client.delete(name)
    client.delete(name, purge=True)
    with pytest.raises(polarway.InvalidInput, match="expected_version"):
        client.delete(name, expected_version=-1)


# Connections that break


def cuts_of(kind: str, first: int, second: int = 1 << 40, *others: int) -> list[int]:
    """Where connections are cut: that of a first upload, that of its second try, and later ones.

    A client for threads makes one for gRPC before that of its upload, and has the second try over the earlier one.
    """
    return [first, second, *others] if kind == "asyncio" else [second, first, *others]


@pytest.mark.parametrize("cuts", [[2_000], [3_000], [70_000], [1_000_000], [3_000_000, 200_000, 1]])
def test_an_upload_that_is_cut_is_made_again_and_written_once(
    kind: str, address: str, name: str, cuts: list[int]
) -> None:
    frame = wide(100_000)
    with (
        breaking_proxy.before(address, cuts=cuts_of(kind, *cuts)) as before,
        clients.client(kind, before.address) as client,
    ):
        published = client.store(name, frame)
        assert (published.version, published.rows) == (1, frame.height)
        assert before.connections >= len(cuts) + (kind == "threads")
    assert pl.DataFrame(stored(address, name)).equals(frame)


def test_an_upload_whose_answer_is_lost_is_answered_again(kind: str, address: str, name: str) -> None:
    frame = wide(1_000)
    with breaking_proxy.before(address) as before, clients.client(kind, before.address) as client:
        client.store(name, frame)
        whole = sum(before.arrivals[-1])
        # All that is sent arrives, or nearly all, and no answer comes back.
        for cut in range(whole - 200, whole, 20):
            before.cuts += cuts_of(kind, cut)
            with clients.client(kind, before.address) as another:
                version = another.append(name, frame).version
            before.cuts.clear()
        assert [entry.version for entry in client.versions(name)] == list(range(1, version + 1))
        assert stored(address, name).num_rows == version * frame.height


def test_several_tables_arrive_once_over_a_connection_that_breaks(kind: str, address: str, name: str) -> None:
    tables = {f"{name}_{index}": wide(20_000) for index in range(5)}
    with (
        breaking_proxy.before(address, cuts=cuts_of(kind, 1_500_000, 2_000_000)) as before,
        clients.client(kind, before.address) as client,
    ):
        published = client.store_batch(tables)
    assert [version.version for version in published.values()] == [1] * 5
    for dataset, frame in tables.items():
        assert stored(address, dataset).num_rows == frame.height


def batches(count: int, rows: int) -> Any:
    """A stream of batches, which can be read only once."""
    schema = pa.schema([("n", pa.int64())])
    values = pa.array(range(rows), pa.int64())
    return pa.RecordBatchReader.from_batches(schema, (pa.record_batch([values], schema=schema) for _ in range(count)))


def test_a_short_stream_of_batches_is_sent_again(kind: str, address: str, name: str) -> None:
    cuts = cuts_of(kind, 1_000_000)
    with breaking_proxy.before(address, cuts=cuts) as before, clients.client(kind, before.address) as client:
        assert client.store(name, batches(4, 100_000)).rows == 400_000
    assert stored(address, name)["n"].to_pylist() == list(range(100_000)) * 4


def test_a_long_stream_of_batches_that_breaks_is_an_error_that_says_why(kind: str, address: str, name: str) -> None:
    cuts = cuts_of(kind, 90 << 20)
    with breaking_proxy.before(address, cuts=cuts) as before, clients.client(kind, before.address) as client:
        with pytest.raises(polarway.Unavailable, match="can be read only once") as caught:
            client.store(name, batches(130, 100_000))
        assert caught.value.request_id is not None
        with pytest.raises(polarway.DatasetNotFound):
            client.describe(name)


def test_a_server_that_goes_away_for_good_is_an_error_within_the_timeout(kind: str, address: str, name: str) -> None:
    cuts = cuts_of(kind, 300_000, 400_000, *[0] * 10_000)
    with (
        breaking_proxy.before(address, cuts=cuts) as before,
        clients.client(kind, before.address, timeout=1) as client,
        pytest.raises(polarway.Unavailable, match=before.address),
    ):
        client.store(name, wide(100_000))


# The source


class Broken(Exception):
    """An error of the user's own."""


def test_an_answer_that_comes_early_ends_the_upload(kind: str, address: str, name: str) -> None:
    sent = 0

    def endless() -> Iterator[Any]:
        nonlocal sent
        while True:
            sent += 1
            yield pa.record_batch([pa.array(range(100_000))], ["n"])

    def reader() -> Any:
        return pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), endless())

    with clients.client(kind, address) as client:
        with pytest.raises(polarway.InvalidInput):
            client.store("no good", reader())
        with pytest.raises(polarway.DatasetNotFound):
            client.append(f"{name}_missing", reader())
    assert sent < 1_000


@pytest.mark.parametrize("error", [Broken("the disk is gone"), TimeoutError("the disk is slow")])
def test_an_error_of_the_source_reaches_the_caller_and_nothing_is_stored(
    client: Any, name: str, error: Exception
) -> None:
    def broken() -> Iterator[Any]:
        yield pa.record_batch([pa.array(range(300_000))], ["n"])
        raise error

    reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), broken())
    with pytest.raises(type(error), match="the disk"):
        client.store(name, reader)
    frame = pl.DataFrame({"n": [1]}).lazy().select(pl.col("n").map_batches(lambda _: 1 / 0, pl.Int64))
    with pytest.raises((pl.exceptions.PolarsError, ZeroDivisionError)):
        client.store(name, frame)
    with pytest.raises(polarway.DatasetNotFound):
        client.describe(name)


# A message of gRPC without content, in a frame of HTTP/2.
_HEARTBEAT_BYTES = 5 + 9


def test_a_source_that_takes_its_time_keeps_the_upload_alive(kind: str, address: str, name: str) -> None:
    with breaking_proxy.before(address) as before:

        def slow() -> Iterator[Any]:
            yield pa.record_batch([pa.array([1])], ["n"])
            for _ in range(1_200):
                if before.arrivals[-1].count(_HEARTBEAT_BYTES) >= 2:
                    yield pa.record_batch([pa.array([2])], ["n"])
                    return
                threading.Event().wait(0.05)
            raise Broken("nothing says that the upload goes on")

        reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), slow())
        with clients.client(kind, before.address) as client:
            assert client.store(name, reader).rows == 2


def test_a_lazy_frame_is_stored_while_it_is_collected(client: Any, name: str) -> None:
    query = pl.LazyFrame({"n": range(1_000_000)}).with_columns(m=pl.col("n") * 2).filter(pl.col("n") % 3 == 0)
    assert client.store(name, query).rows == 333_334


# Many at once


def test_one_client_stores_from_many_threads(address: str, name: str) -> None:
    errors: list[Exception] = []

    def store(client: DistributedClient, index: int) -> None:
        try:
            client.store(f"{name}_{index}", pl.DataFrame({"n": [index] * 50_000}))
        except Exception as error:
            errors.append(error)

    with DistributedClient(address) as client:
        threads = [threading.Thread(target=store, args=(client, index)) for index in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert errors == []
    for index in range(16):
        assert stored(address, f"{name}_{index}")["n"].unique().to_pylist() == [index]


def test_appends_of_many_tasks_all_arrive(address: str, name: str) -> None:
    async def appends() -> None:
        async with AsyncDistributedClient(address) as client:
            await client.store(name, pl.DataFrame({"n": [0]}))
            await asyncio.gather(*(client.append(name, pl.DataFrame({"n": [index]})) for index in range(1, 30)))

    asyncio.run(appends())
    assert sorted(stored(address, name)["n"].to_pylist()) == list(range(30))


@pytest.mark.parametrize("batches_before", range(8))
def test_a_task_that_is_cancelled_ends_its_upload(address: str, name: str, batches_before: int) -> None:
    reached, ended = threading.Event(), threading.Event()

    def endless() -> Iterator[Any]:
        try:
            for count in itertools.count():
                if count == batches_before:
                    reached.set()
                yield pa.record_batch([pa.array(range(100_000))], ["n"])
        finally:
            ended.set()

    async def store() -> None:
        reader = pa.RecordBatchReader.from_batches(pa.schema([("n", pa.int64())]), endless())
        async with AsyncDistributedClient(address) as client:
            task = asyncio.create_task(client.store(name, reader))
            await asyncio.to_thread(reached.wait)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
            with pytest.raises(polarway.DatasetNotFound):
                await client.describe(name)

    asyncio.run(store())
    assert ended.wait(60)


# Ids


def test_ids_are_uuids_of_version_7_that_differ() -> None:
    ids = [polarway.fresh_request() for _ in range(1_000)]
    assert all((id_.version, id_.variant) == (7, uuid.RFC_4122) for id_ in ids)
    assert len(set(ids)) == len(ids)
    times = [id_.int >> 80 for id_ in ids]
    assert times == sorted(times)
    assert of_table(ids[0], 3) == f"{ids[0]}/3"


def test_a_write_that_the_program_makes_again_is_carried_out_once(client: Any, name: str) -> None:
    frame = pl.DataFrame({"n": [1, 2]})
    stored, appended, deleted = (polarway.fresh_request() for _ in range(3))
    writes: list[Callable[[], Any]] = [
        lambda: client.store(name, frame, request=stored),
        lambda: client.append(name, frame, request=appended),
        lambda: client.delete(name, request=deleted),
    ]
    for expected_version, write in enumerate(writes, 1):
        first, again = write(), write()
        assert (first.version, first.was_retry) == (expected_version, False)
        assert (again.version, again.was_retry) == (expected_version, True)
    assert len(client.versions(name)) == 3
    # Its time is that of 1970.
    old = uuid.UUID(int=stored.int & ((1 << 80) - 1))
    with pytest.raises(polarway.InvalidInput) as caught:
        client.store(name, frame, request=old)
    assert caught.value.reason == "REQUEST_EXPIRED"
