"""Results that stay on the server, against a real one."""

from __future__ import annotations

import asyncio
import copy
import gc
import pickle
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from polars.testing import assert_frame_equal

import breaking_proxy
import clients
import polarway
import server
from polarway import AsyncDistributedClient, AsyncHandle, DistributedClient, HandleNotFound, InvalidInput, QueryError

NUMBERS = "SELECT n, n % 3 AS third, 'text ' || n AS text FROM range(9) AS numbers(n)"
DROPPED = ("HANDLE_DROPPED", "UNKNOWN_HANDLE")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the dataset "words"."""
    data = tmp_path_factory.mktemp("handles")
    (data / "cold").mkdir()
    pq.write_table(pa.table({"third": [0, 1], "word": ["zero", "one"]}), data / "cold" / "words.parquet")
    with server.running(data) as address:
        yield address


@pytest.fixture
def blocking(address: str) -> Iterator[DistributedClient]:
    with DistributedClient(address) as client:
        yield client


def ids(client: Any) -> set[str]:
    return {handle.id for handle in client.handles()}


def test_a_handle_says_what_it_is(client: Any) -> None:
    with client.query_handle(NUMBERS, ttl=60) as handle:
        assert handle.id.startswith("h_")
        assert len(handle) == handle.rows == 9
        assert handle.columns == ["n", "third", "text"]
        assert handle.schema == {"n": pl.Int64, "third": pl.Int64, "text": pl.String}
        assert handle.arrow_schema.names == handle.columns
        assert handle.bytes > 0
        assert handle.ttl == timedelta(seconds=60)
        assert handle.created <= datetime.now(UTC) + timedelta(minutes=1)
        assert handle.created < handle.expires
        assert repr(handle).endswith(f"Handle({handle.id!r}, rows=9, columns=['n', 'third', 'text'])")


def test_the_rows_of_a_handle_are_those_of_its_query(client: Any) -> None:
    expect = client.query(NUMBERS)
    with client.query_handle(NUMBERS) as handle:
        assert_frame_equal(handle.load(), expect)
        assert_frame_equal(client.load(handle.id), expect)
        assert_frame_equal(client.query(f"FROM {handle.id}"), expect)
        assert_frame_equal(pl.concat(list(handle.load_stream())), expect)
        assert handle.load(as_="arrow").num_rows == 9


def test_parameters_are_values_of_the_query(client: Any) -> None:
    with client.query_handle("SELECT $a + $b AS n", {"a": 40, "b": 2}) as handle:
        assert handle.load().rows() == [(42,)]


def test_each_fluent_method_gives_a_handle_of_its_result(client: Any) -> None:
    with client.query_handle(NUMBERS) as handle:
        big: Any = handle.filter("n > 5")
        assert big.load()["n"].to_list() == [6, 7, 8]
        assert big.select("n", "n * 2 AS double").load().rows() == [(6, 12), (7, 14), (8, 16)]
        assert big.with_columns(["n + 1 AS n", "0 AS zero"]).load().columns == ["n", "third", "text", "zero"]
        assert handle.group_by("third").agg("count(*) AS count").sort("third").load().rows() == [(0, 3), (1, 3), (2, 3)]
        assert handle.join(big, "n", how="semi").sort("n DESC").load()["n"].to_list() == [8, 7, 6]
        assert handle.join(big.lazy().filter("n = 7"), ["n", "third"]).load().columns == [
            "n",
            "third",
            "text",
            "text_1",
        ]
        assert handle.limit(2).load()["n"].to_list() == [0, 1]
        assert handle.select("third").distinct().rows == 3
        assert handle.sql("SELECT max(n) AS most FROM self").load().rows() == [(8,)]


def test_a_handle_is_joined_with_a_dataset(client: Any) -> None:
    with client.query_handle(NUMBERS) as handle:
        assert handle.join("words", "third").rows == 6
        assert handle.join("words", "third", how="anti").rows == 3


def test_a_lazy_query_is_one_query_that_runs_at_its_end(client: Any) -> None:
    with client.query_handle(NUMBERS) as handle:
        lazy = handle.lazy().filter("n > $least").group_by("third").agg("max(n) AS most").sort("third").limit(2)
        assert lazy.to_sql().startswith("WITH self AS NOT MATERIALIZED (\n")
        assert lazy.to_sql() in repr(lazy)
        assert lazy.collect({"least": 3}).rows() == [(0, 6), (1, 7)]
        assert lazy.collect({"least": 3}, as_="arrow").num_rows == 2
        with lazy.collect_handle({"least": 6}, ttl=timedelta(minutes=1)) as kept:
            assert kept.load().rows() == [(1, 7), (2, 8)]
            assert kept.ttl == timedelta(minutes=1)


def test_what_is_no_expression_is_refused_and_a_missing_column_is_an_error_of_the_query(client: Any) -> None:
    with client.query_handle(NUMBERS) as handle:
        with pytest.raises(InvalidInput, match="is not a single expression"):
            handle.filter("true) OR (true")
        with pytest.raises(InvalidInput, match="there are no columns to select"):
            handle.select()
        with pytest.raises(QueryError, match="nothing"):
            handle.filter("nothing > 1")
        with pytest.raises(InvalidInput, match="is nothing to join with"):
            handle.join(5, "n")


def test_a_query_that_can_not_be_kept_is_refused(client: Any) -> None:
    with pytest.raises(polarway.PolarwayError) as refused:
        client.query_handle("EXPLAIN SELECT 1")
    assert refused.value.reason is not None
    for sql in (None, 5):
        with pytest.raises(InvalidInput, match="is no SQL"):
            client.query_handle(sql)
    for ttl in (-1, "long", float("nan")):
        with pytest.raises(InvalidInput, match="is no time to live"):
            client.query_handle("SELECT 1", ttl=ttl)


def test_a_handle_is_found_by_its_id_and_listed(client: Any) -> None:
    with client.query_handle(NUMBERS) as handle:
        found = client.handle(handle.id)
        assert found.info == handle.info
        assert_frame_equal(found.load(), handle.load())
        assert handle.id in ids(client)
        (listed,) = (info for info in client.handles() if info.id == handle.id)
        assert (listed.rows, listed.arrow_schema) == (9, handle.arrow_schema)


def test_ids_that_are_none_or_unknown_are_refused(client: Any) -> None:
    for call in (client.handle, client.drop_handle, client.extend_handle):
        with pytest.raises(InvalidInput):
            call("flights")
        with pytest.raises(InvalidInput, match="None is no id of a handle"):
            call(None)
        with pytest.raises(HandleNotFound):
            call("h_" + "a" * 26)


def test_a_handle_lives_longer_when_it_is_extended(client: Any) -> None:
    with client.query_handle(NUMBERS, ttl=60) as handle:
        before = handle.expires
        handle.extend(timedelta(hours=1))
        assert handle.ttl == timedelta(hours=1)
        assert handle.expires > before
        handle.extend()
        assert handle.ttl == timedelta(hours=1)
        assert client.extend_handle(handle.id, 120.5).ttl == timedelta(seconds=120.5)


def test_a_dropped_handle_is_gone_and_dropping_it_again_is_no_error(client: Any) -> None:
    handle = client.query_handle(NUMBERS)
    handle.drop()
    handle.drop()
    client.drop_handle(handle.id)
    for call in (handle.load, handle.extend, lambda: handle.filter("n > 1"), lambda: list(handle.load_stream())):
        with pytest.raises(HandleNotFound) as gone:
            call()
        assert gone.value.reason in DROPPED


def test_the_end_of_a_with_block_drops_a_handle_of_ones_own_only(client: Any) -> None:
    kept = client.query_handle(NUMBERS)
    with client.handle(kept.id):
        pass
    with client.query_handle(NUMBERS) as ours:
        pass
    assert ids(client) & {kept.id, ours.id} == {kept.id}
    kept.drop()


def test_the_error_in_a_with_block_is_the_one_that_is_raised(client: Any) -> None:
    handle = client.query_handle(NUMBERS)
    client.drop_handle(handle.id)
    with pytest.raises(QueryError, match="nothing"), handle:
        client.query("SELECT nothing")


def test_a_handle_that_nobody_has_any_more_is_dropped_when_the_client_is_closed(kind: str, address: str) -> None:
    with clients.client(kind, address) as client:
        handle = client.query_handle(NUMBERS)
        kept = client.query_handle(NUMBERS)
        lazy = client.query_handle(NUMBERS).lazy().filter("n > 1")
        held = lazy.collect().height
        kept.keep()
        gone, stays = handle.id, kept.id
        del handle, kept
        gc.collect()
        assert (held, lazy.collect().height) == (7, 7)
    with DistributedClient(address) as other:
        assert ids(other) & {gone, stays} == {stays}
        other.drop_handle(stays)


def test_a_stream_keeps_its_handle_from_being_dropped(client: Any) -> None:
    stream = client.query_handle("SELECT * FROM range(300000)").load_stream()
    gc.collect()
    assert sum(batch.height for batch in stream) == 300_000


def test_a_handle_is_made_once_also_when_the_answer_is_lost(
    kind: str, address: str, blocking: DistributedClient
) -> None:
    with breaking_proxy.before(address) as counting, clients.client(kind, counting.address) as client:
        client.query_handle(NUMBERS)
        until_made = counting.count
    before = ids(blocking)
    # How many bytes a call takes differs a little, as its id does.
    for missing in (60, 200, 500):
        with (
            breaking_proxy.before(address, until_made - missing) as breaking,
            clients.client(kind, breaking.address) as client,
        ):
            handle = client.query_handle(NUMBERS)
            assert breaking.failures == 1
            assert ids(blocking) - before == {handle.id}
            handle.drop()


def test_a_pickled_handle_is_kept_and_can_be_opened_elsewhere(blocking: DistributedClient) -> None:
    handle = blocking.query_handle(NUMBERS)
    pickled, expect = pickle.dumps(handle), handle.load()
    del handle
    gc.collect()
    opened = pickle.loads(pickled)
    assert_frame_equal(opened.load(), expect)
    assert opened.filter("n > 7").rows == 1
    opened.drop()


def test_a_handle_of_asyncio_is_pickled_as_well(address: str) -> None:
    async def pickled() -> None:
        async with AsyncDistributedClient(address) as client:
            handle = await client.query_handle(NUMBERS)
            opened = pickle.loads(pickle.dumps(handle))
            assert isinstance(opened, AsyncHandle)
            assert opened.info == handle.info
            await handle.drop()
            await opened._client.close()

    asyncio.run(pickled())


def test_a_copy_is_the_same_handle(blocking: DistributedClient) -> None:
    with blocking.query_handle(NUMBERS) as handle:
        assert copy.copy(handle) is handle
        assert copy.deepcopy([handle]) == [handle]


def test_a_notebook_shows_the_columns_and_the_first_rows(blocking: DistributedClient) -> None:
    with blocking.query_handle("SELECT n, '<b>' || n AS \"a < b\" FROM range(1000) AS t(n)") as handle:
        shown = handle._repr_html_()
        assert handle.id in shown
        assert "1,000 rows, 2 columns" in shown
        assert "a &lt; b" in shown
        assert "&lt;b&gt;9" in shown.replace("&quot;", "")
        assert "&lt;b&gt;10" not in shown
    shown = handle._repr_html_()
    assert "dropped" in shown
    assert "a &lt; b" in shown


def test_a_handle_of_asyncio_shows_its_columns(address: str) -> None:
    with clients.client("asyncio", address) as client, client.query_handle(NUMBERS) as handle:
        shown = handle._repr_html_()
        assert "9 rows, 3 columns" in shown
        assert "<td>third</td><td>Int64</td>" in shown


def test_types_that_arrow_lacks_are_described_in_the_schema(client: Any) -> None:
    with client.query_handle("SELECT INTERVAL 1 DAY AS i, uuid() AS u, sum(n) AS s FROM range(3) AS t(n)") as handle:
        assert handle.schema == {"i": pl.String, "u": pl.String, "s": pl.Decimal(38, 0)}
        assert pa.types.is_decimal(handle.arrow_schema.field("s").type)
        # In SQL the interval is one again.
        assert handle.select("i * 2 AS i").load().rows() == [("2 days",)]
