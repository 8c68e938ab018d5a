"""Tables of a real server as lazy frames: what polars makes of them is what it makes of the tables themselves."""

from __future__ import annotations

import asyncio
import datetime as dt
import gc
import logging
import pickle
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars import selectors as cs
from polars.testing import assert_frame_equal

import breaking_proxy
import server
from frames import COLUMNS, frame, frames, predicates
from polarway import (
    AsyncDistributedClient,
    DatasetNotFound,
    DistributedClient,
    HandleNotFound,
    InvalidInput,
    Unavailable,
    VersionNotFound,
)

C = pl.col

FRAME = frame(200, seed=1)


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the frame "all", and "adopted", a Parquet file of another program."""
    data = tmp_path_factory.mktemp("scan")
    (data / "cold").mkdir()
    pq.write_table(pa.table({"n": [1, 2, 3]}), data / "cold" / "adopted.parquet")
    with server.running(data) as address, DistributedClient(address) as client:
        client.store("all", FRAME)
        yield address


@pytest.fixture(scope="module")
def shared(address: str) -> Iterator[DistributedClient]:
    """A client for threads."""
    with DistributedClient(address) as client:
        yield client


def sent(client: DistributedClient, caught: pytest.MonkeyPatch) -> list[str]:
    """Notes the text of each query that the client sends from now on."""
    texts: list[str] = []
    query_stream = client.query_stream

    def noting(sql: str, *given: Any, **named: Any) -> Any:
        texts.append(sql)
        return query_stream(sql, *given, **named)

    caught.setattr(client, "query_stream", noting)
    return texts


def outcome(collect: Callable[[], pl.DataFrame]) -> pl.DataFrame | type[Exception]:
    try:
        return collect()
    except pl.exceptions.PolarsError as error:
        return type(error)


@settings(max_examples=settings().max_examples // 8)
@given(frames(), st.data())
def test_a_scan_gives_what_polars_gives_for_the_frame(
    shared: DistributedClient, local: pl.DataFrame, data: Any
) -> None:
    shared.store("random", local)
    remote = shared.scan("random")
    for _ in range(data.draw(st.integers(1, 6))):
        predicate = data.draw(predicates())
        columns = data.draw(st.lists(st.sampled_from(list(COLUMNS)), unique=True))
        before, after = data.draw(st.one_of(st.none(), st.integers(0, 25))), data.draw(st.sampled_from([None, 0, 3]))
        engine = data.draw(st.sampled_from(["in-memory", "streaming"]))

        def asked(of: pl.LazyFrame, engine: Any = engine) -> pl.DataFrame | type[Exception]:
            of = of if before is None else of.head(before)  # noqa: B023
            of = of.filter(predicate)  # noqa: B023
            of = of if after is None else of.head(after)  # noqa: B023
            of = of.select(columns) if columns else of  # noqa: B023
            return outcome(lambda: of.collect(engine=engine))

        expect, found = asked(local.lazy()), asked(remote)
        if isinstance(expect, pl.DataFrame) and isinstance(found, pl.DataFrame):
            assert_frame_equal(found, expect)
        else:
            assert found == expect


@pytest.mark.parametrize(
    ("rows", "predicate", "columns", "sql"),
    [
        (None, (C("i8") > 0) & (C("i64") % 2 == 0), ["text"], """"i8", "i64", "text" FROM TABLE WHERE ("i8" > $1)"""),
        (None, C("bool"), ["duration"], """"bool", epoch_us("duration") AS "duration" FROM TABLE WHERE "bool\""""),
        (9, C("i8") > 0, ["text"], """"i8", "text" FROM (SELECT "i8", "text" FROM TABLE LIMIT 9) WHERE ("i8" > $1)"""),
    ],
)
def test_of_a_filter_the_server_gets_what_sql_can_say_with_the_columns_that_are_needed(
    rows: int | None,
    predicate: pl.Expr,
    columns: list[str],
    sql: str,
    shared: DistributedClient,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    texts = sent(shared, monkeypatch)
    local, remote = FRAME.lazy(), shared.scan("all")
    if rows is not None:
        local, remote = local.head(rows), remote.head(rows)
    expect = local.filter(predicate).select(columns).collect()
    assert_frame_equal(remote.filter(predicate).select(columns).collect(), expect)
    assert texts == ["SELECT " + sql.replace("TABLE", '"all" AT (VERSION => 1)')]


def test_without_a_filter_and_with_one_that_stays_here_the_rows_are_loaded(
    shared: DistributedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent(shared, monkeypatch)
    remote = shared.scan("all")
    assert_frame_equal(remote.collect(), FRAME)
    assert_frame_equal(remote.select("text", "i8").head(3).collect(), FRAME.select("text", "i8").head(3))
    assert_frame_equal(remote.filter(C("time") > dt.time(1)).collect(), FRAME.filter(C("time") > dt.time(1)))
    assert remote.select(pl.len()).collect().item() == FRAME.height
    assert remote.head(0).collect().schema == FRAME.schema
    assert texts == []


@pytest.mark.parametrize("name", COLUMNS)
def test_a_column_has_the_type_and_the_values_of_the_table_also_when_it_comes_from_a_query(
    name: str, shared: DistributedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent(shared, monkeypatch)
    found = shared.scan("all").filter(C("bool")).select(name).collect()
    assert_frame_equal(found, FRAME.filter(C("bool")).select(name))
    assert len(texts) == 1


def test_rows_count_also_where_no_column_is_needed(shared: DistributedClient) -> None:
    local, remote = FRAME.lazy(), shared.scan("all")

    def asked(of: pl.LazyFrame) -> list[tuple[int, int]]:
        plans = [of.with_row_index("row").select("row"), of.drop(cs.all()), of.select(pl.lit(1)), of.select(pl.len())]
        plans += [of.filter("bool").with_row_index("row").select("row"), of.filter("bool").select(pl.len())]
        return [plan.collect(engine=engine).shape for plan in plans for engine in ("in-memory", "streaming")]

    assert asked(remote) == asked(local)


def test_the_schema_is_known_without_reading_rows(shared: DistributedClient, monkeypatch: pytest.MonkeyPatch) -> None:
    remote = shared.scan("all")

    def refuse(*_given: Any, **_named: Any) -> Any:
        raise AssertionError("rows were read")

    monkeypatch.setattr(shared, "load_stream", refuse)
    monkeypatch.setattr(shared, "query_stream", refuse)
    assert remote.collect_schema() == FRAME.schema
    assert remote.filter(C("i8") > 0).select("text", C("i8") * 2.0).collect_schema() == {
        "text": pl.String,
        "i8": pl.Float64,
    }
    assert "all" in remote.explain()


def test_a_scan_reads_the_version_that_was_the_newest_when_it_began(shared: DistributedClient) -> None:
    first = pl.DataFrame({"n": [1, 2, 3]})
    shared.store("versions", first)
    before = shared.scan("versions")
    between = dt.datetime.now(dt.UTC)
    shared.store("versions", pl.DataFrame({"n": ["a"]}))
    for again in (before, shared.scan("versions", version=1), shared.scan("versions", as_of=between)):
        assert_frame_equal(again.collect(), first)
        assert_frame_equal(again.filter(C("n") > 1).collect(), first.tail(2))
    shared.delete("versions")
    assert_frame_equal(before.filter(C("n") > 1).collect(), first.tail(2))


def test_a_handle_is_scanned_and_kept_as_long_as_the_frame(shared: DistributedClient) -> None:
    remote = shared.scan(shared.query_handle("SELECT n, n % 2 = 0 AS even FROM range(10) AS numbers(n)"))
    gc.collect()
    assert remote.filter("even").select("n").collect()["n"].to_list() == [0, 2, 4, 6, 8]
    with shared.query_handle("SELECT 1 AS n") as handle:
        assert shared.scan(handle.id).collect().rows() == [(1,)]
        assert shared.scan(handle.id).filter(C("n") == 1).collect().rows() == [(1,)]
    with pytest.raises(HandleNotFound):
        shared.scan(handle.id)


def test_the_result_of_a_select_is_scanned_as_it_was(shared: DistributedClient) -> None:
    shared.store("changing", pl.DataFrame({"n": [1, 2, 3]}))
    remote = shared.scan("SELECT n, n * 10 AS ten FROM changing WHERE n > $1", [1])
    shared.store("changing", pl.DataFrame({"n": [7]}))
    assert remote.collect().rows() == [(2, 20), (3, 30)]
    assert remote.filter(C("ten") > 20).collect().rows() == [(3, 30)]


def test_the_result_of_a_select_is_kept_as_long_as_there_is_a_frame_of_it(address: str) -> None:
    with DistributedClient(address) as client, DistributedClient(address) as other:
        before = {handle.id for handle in other.handles()}
        remote = client.scan("SELECT 1 AS n")
        made_of_it = remote.filter(C("n") > 0)
        del remote
        gc.collect()
        assert made_of_it.collect().rows() == [(1,)]
        assert len({handle.id for handle in other.handles()} - before) == 1
        del made_of_it
        gc.collect()
        client.close()
        assert {handle.id for handle in other.handles()} <= before


def test_types_that_only_sql_has_are_the_same_with_and_without_a_filter(
    shared: DistributedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent(shared, monkeypatch)
    columns = {
        "interval": "to_days(n::INTEGER)",
        "uuid": "'00000000-0000-0000-0000-00000000000' || n :: VARCHAR",
        "huge": "n::HUGEINT",
        "enum": "'a'::ENUM('b', 'a')",
        "time": "TIME '12:00:00' + to_seconds(n)",
        "zoned": "TIMESTAMPTZ '2024-01-01 00:00:00+00' + to_seconds(n)",
        "list": "[n, NULL]",
        "intervals": "[to_days(n::INTEGER)]",
        "struct": "{'a': n, 'b': 'x'}",
        "map": "MAP {'a': n}",
        "price": "n::DECIMAL(10, 2)",
    }
    chosen = ", ".join(f'{sql} AS "{name}"' for name, sql in columns.items())
    remote = shared.scan(f"SELECT n, {chosen} FROM range(5) AS numbers(n)")
    whole = remote.collect()
    for name in columns:
        asked = remote.filter(C("n") > 2).select("n", name)
        assert_frame_equal(asked.collect(), whole.filter(C("n") > 2).select("n", name))
    assert len(texts) < len(columns)
    # In SQL these are no texts.
    texts.clear()
    assert remote.filter(C("interval") == "3 days").select("n").collect().rows() == [(3,)]
    assert remote.filter(C("huge") == 3).select("n").collect().rows() == [(3,)]
    assert texts == []


def test_files_of_other_programs_are_scanned(shared: DistributedClient) -> None:
    remote = shared.scan("adopted")
    assert remote.collect()["n"].to_list() == [1, 2, 3]
    assert remote.filter(C("n") > 1).collect()["n"].to_list() == [2, 3]


def test_names_that_sql_does_not_tell_apart_are_filtered_here(
    shared: DistributedClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = sent(shared, monkeypatch)
    local = pl.DataFrame({"a": [1, 2], "A": [2, 1], "": [1, 2], "b": [1, 2]})
    shared.store("names", local)
    for name in local.columns:
        assert_frame_equal(shared.scan("names").filter(C(name) > 1).collect(), local.filter(C(name) > 1))
    assert texts == []
    assert_frame_equal(shared.scan("names").filter(C("b") > 1).select("b").collect(), local.select("b").tail(1))
    assert len(texts) == 1


def test_names_that_polars_takes_for_patterns_are_names(shared: DistributedClient) -> None:
    local = pl.DataFrame(
        [pl.Series(name, [1, 2]) for name in ("^.*$", "*", 'quoted "', "name with spaces", "größe", ";--")]
    )
    shared.store("patterns", local)
    remote = shared.scan("patterns")
    assert_frame_equal(remote.collect(), local)
    for name in local.columns:
        assert_frame_equal(remote.filter(pl.nth(local.columns.index(name)) > 1).collect(), local.tail(1))


@pytest.mark.parametrize("rows", [10, 400_000])
def test_where_a_query_fails_the_rows_are_filtered_here(
    rows: int, shared: DistributedClient, caplog: pytest.LogCaptureFixture
) -> None:
    # SQL has no durations of 300 years. In the longer table, rows have come before the one that fails.
    days = pl.Series("d", [0] * (rows - 1) + [300 * 366]) * 86_400_000_000
    local = pl.DataFrame({"n": range(rows), "d": days.cast(pl.Duration("us"))})
    shared.store("failing", local)
    with caplog.at_level(logging.INFO, "polarway"):
        found = shared.scan("failing").filter(C("n") % 3 == 0, C("n") > 4).collect()
    assert_frame_equal(found, local.filter(C("n") % 3 == 0, C("n") > 4))
    assert "because a query failed" in caplog.text
    assert_frame_equal(shared.scan("failing").filter(C("n") > 4).head(2).collect(), local[5:7])


@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_scan_goes_on_where_the_connection_broke(part: float, address: str, shared: DistributedClient) -> None:
    local = pl.DataFrame({"n": range(400_000)}).with_columns(text="text " + C("n").cast(pl.String))
    shared.store("breaking", local)

    def collect(at: str) -> pl.DataFrame:
        with DistributedClient(at) as client:
            return client.scan("breaking").filter(C("n") % 3 == 0, C("n") > 4).collect()

    with breaking_proxy.before(address) as counting:
        expect = collect(counting.address)
    assert_frame_equal(expect, local.filter(C("n") % 3 == 0, C("n") > 4))
    with breaking_proxy.before(address, int(counting.count * part)) as breaking:
        assert_frame_equal(collect(breaking.address), expect)
        assert breaking.failures == 1


def test_an_error_of_a_predicate_is_that_of_polars(shared: DistributedClient) -> None:
    for predicate in (C("berlin") > dt.datetime(2024, 1, 1), C("missing") > 1):
        expect = outcome(FRAME.lazy().filter(predicate).collect)
        assert isinstance(expect, type)
        assert outcome(shared.scan("all").filter(predicate).collect) == expect


def test_an_error_of_the_server_is_an_exception_of_this_package(shared: DistributedClient) -> None:
    with shared.query_handle("SELECT 1 AS n") as handle:
        remote = shared.scan(handle)
    for asked in (remote, remote.filter(C("n") > 0)):
        for engine in ("in-memory", "streaming"):
            with pytest.raises(HandleNotFound):
                asked.collect(engine=engine)


def test_what_can_not_be_scanned_is_refused_and_named(shared: DistributedClient) -> None:
    wrong: Any
    for wrong in (None, 5, b"all"):
        with pytest.raises(InvalidInput, match="can't be scanned"):
            shared.scan(wrong)
    with pytest.raises(DatasetNotFound, match="nothing"):
        shared.scan("nothing")
    with pytest.raises(InvalidInput):
        shared.scan("no/name")
    with pytest.raises(VersionNotFound):
        shared.scan("all", version=99)
    with pytest.raises(InvalidInput, match="only a SELECT has parameters"):
        shared.scan("all", [1])
    for source in ("SELECT 1", shared.query_handle("SELECT 1")):
        with pytest.raises(InvalidInput, match="only a dataset has versions"):
            shared.scan(source, version=1)


def test_a_frame_of_a_closed_client_says_so(address: str) -> None:
    with DistributedClient(address) as client:
        remote = client.scan("all")
    with pytest.raises(InvalidInput, match="closed"):
        remote.collect()


def test_an_unreachable_server_is_an_error_when_the_frame_is_collected(tmp_path: Path) -> None:
    with server.running(tmp_path) as address:
        client = DistributedClient(address, timeout=1)
        client.store("n", pl.DataFrame({"n": [1]}))
        remote = client.scan("n")
    with client, pytest.raises(Unavailable):
        remote.filter(C("n") > 0).collect()


def test_a_query_is_stopped_when_polars_has_enough_rows(shared: DistributedClient) -> None:
    remote = shared.scan("SELECT range AS n, range % 7 AS day FROM range(3000000)")
    found = remote.filter(C("day") == 3).head(2).collect(engine="streaming")
    assert found.rows() == [(3, 3), (10, 3)]
    until = dt.datetime.now() + dt.timedelta(seconds=60)
    while (running := shared.queries()) and dt.datetime.now() < until:
        pass
    assert running == []


def test_a_frame_is_collected_in_many_threads_at_the_same_time(shared: DistributedClient) -> None:
    remote = shared.scan("all")
    expect = FRAME.filter(C("i8") > 0)

    def collect(number: int) -> pl.DataFrame:
        return remote.filter(C("i8") > 0).collect(engine="streaming" if number % 2 else "in-memory")

    with ThreadPoolExecutor(8) as threads:
        for found in threads.map(collect, range(32)):
            assert_frame_equal(found, expect)


def test_a_frame_and_its_copy_are_joined(shared: DistributedClient) -> None:
    remote, local = shared.scan("all"), FRAME.lazy()

    def joined(of: pl.LazyFrame) -> pl.DataFrame:
        large = of.filter(C("i64") > 0).group_by("text").len()
        return of.filter(C("i8") > 0).join(large, on="text", how="left").select("text", "i8", "len").collect()

    assert_frame_equal(joined(remote), joined(local), check_row_order=False)


def test_a_client_for_asyncio_scans_too(address: str) -> None:
    async def scanned() -> None:
        async with AsyncDistributedClient(address) as client:
            remote = await client.scan("all")
            expect = FRAME.filter(C("i8") > 0)
            assert_frame_equal(await remote.filter(C("i8") > 0).collect_async(), expect)
            handle = await client.query_handle("SELECT 1 AS n")
            assert (await client.scan(handle)).collect().rows() == [(1,)]
            with pytest.raises(DatasetNotFound):
                await client.scan("nothing")

    asyncio.run(scanned())


def test_a_frame_is_pickled_and_collected_in_another_process(shared: DistributedClient) -> None:
    with shared.query_handle("SELECT range AS n FROM range(5)") as handle:
        frames = [shared.scan("all").filter(C("i8") > 0).select("text"), shared.scan(handle).filter(C("n") > 3)]
        script = """
            import pickle, sys
            frames = pickle.load(sys.stdin.buffer)
            pickle.dump([frame.collect() for frame in frames], sys.stdout.buffer)
        """
        command = [sys.executable, "-c", textwrap.dedent(script)]
        environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        done = subprocess.run(command, input=pickle.dumps(frames), env=environment, stdout=subprocess.PIPE, check=True)
        for found, frame in zip(pickle.loads(done.stdout), frames, strict=True):
            assert_frame_equal(found, frame.collect())


def test_a_table_that_is_larger_than_the_memory_in_use_is_scanned_by_the_streaming_engine(
    shared: DistributedClient, address: str
) -> None:
    rows = 3_000_000
    with shared.query_handle(
        f"SELECT range AS n, range * 1.5 AS half, range % 1000 AS part FROM range({rows})"
    ) as handle:
        assert handle.bytes > 70_000_000
        script = f"""
            import resource, sys
            import polars as pl
            from polarway import DistributedClient

            def peak_bytes():
                unit = 1 if sys.platform == "darwin" else 1024
                return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit

            with DistributedClient({address!r}) as client:
                table = client.scan({handle.id!r})
                table.filter(pl.col("n") < 10).collect(engine="streaming")
                before = peak_bytes()
                whole = table.group_by("part").agg(pl.len(), pl.col("half").sum())
                assert whole.collect(engine="streaming")["len"].sum() == {rows}
                even = table.filter(pl.col("n") % 2 == 0, pl.col("part") >= 0)
                some = even.group_by("part").agg(pl.col("half").sum())
                assert some.collect(engine="streaming").height == 500
                print(peak_bytes() - before)
        """
        environment = {"PYTHONPATH": str(Path(__file__).parents[1] / "src")}
        command = [sys.executable, "-c", textwrap.dedent(script)]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True)
        assert int(done.stdout) < handle.bytes // 4
