"""Both clients and their calls with one answer, against a real server."""

from __future__ import annotations

import asyncio
import inspect
import logging
import pickle
import socket
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import grpc
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import clients
import polarway
import server
from polarway import AsyncDistributedClient, DistributedClient
from polarway._generated import messages, methods
from polarway._wire import encode


@pytest.fixture(scope="module")
def adopted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has a Parquet file which another program wrote: the dataset "weather"."""
    data = tmp_path_factory.mktemp("adopted")
    (data / "cold").mkdir()
    pq.write_table(pa.table({"station": ["A", "B"], "degrees": [21.5, None]}), data / "cold" / "weather.parquet")
    with server.running(data) as address:
        yield address


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address at which nobody listens, and which nobody else gets meanwhile."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{bound.getsockname()[1]}"


def members(client: type[object]) -> dict[str, Any]:
    return {name: value for name, value in vars(client).items() if not name.startswith("_")}


def test_both_clients_have_the_same_methods_with_the_same_arguments() -> None:
    blocking, awaited = members(DistributedClient), members(AsyncDistributedClient)
    assert blocking.keys() == awaited.keys()
    for name, method in blocking.items():
        if isinstance(method, property):
            continue
        assert inspect.signature(method).parameters == inspect.signature(awaited[name]).parameters, name
    assert inspect.signature(DistributedClient) == inspect.signature(AsyncDistributedClient)


def test_every_public_thing_is_documented() -> None:
    for name in polarway.__all__:
        thing = getattr(polarway, name)
        assert inspect.getdoc(thing), name
        for method, value in members(thing).items() if inspect.isclass(thing) else ():
            assert not callable(value) or inspect.getdoc(value), f"{name}.{method}"


def test_a_server_is_healthy(client: Any) -> None:
    assert client.health_check() == "OK"


def test_a_server_says_who_it_is(client: Any) -> None:
    info = client.server_info()
    assert info.server_version
    assert info.worker_id
    assert info.duckdb_version
    assert info.protocol_revision > 0
    assert timedelta(0) <= datetime.now(UTC) - info.started < timedelta(days=1)
    assert info.peers == ()


def test_a_server_says_which_workers_run_queries_together_with_it(kind: str, nobody: str, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as bound:
        own = f"127.0.0.1:{bound.getsockname()[1]}"
    flags = ("--peer-bind", own, "--peers", f"{own},{nobody}")
    with server.running(tmp_path, *flags) as address, clients.client(kind, address) as client:
        while len(peers := client.server_info().peers) < 2:
            time.sleep(0.02)
        states = {peer.address: (peer.state, peer.is_own, peer.reason is None) for peer in peers}
        assert states == {own: ("ready", True, True), nobody: ("unreachable", False, False)}


def test_the_state_of_the_cache_is_a_dict_with_a_hit_rate(client: Any) -> None:
    stats = client.cache_stats()
    assert 0.0 <= stats["hit_rate"] <= 1.0
    counts = {"hits", "misses", "tables", "bytes", "capacity_bytes", "evictions"}
    assert stats.keys() == counts | {"hit_rate"}
    assert all(isinstance(stats[name], int) for name in counts)


def test_datasets_are_listed_and_described(kind: str, adopted: str) -> None:
    with clients.client(kind, adopted) as client:
        (dataset,) = client.datasets()
        assert (dataset.name, dataset.version, dataset.rows, dataset.error) == ("weather", 0, 2, None)
        description = client.describe("weather")
        assert (description.name, description.rows, description.files) == ("weather", 2, 1)
        assert description.time == dataset.time
        assert description.arrow_schema == pa.schema({"station": pa.string(), "degrees": pa.float64()})
        (version,) = client.versions("weather")
        assert (version.version, version.kind, version.rows, version.vacuumed) == (0, "adopted", 2, False)
        assert client.describe("weather", version=0) == description
        assert client.describe("weather", as_of=datetime.now(UTC)) == description


def test_a_list_of_several_pages_is_one_list(kind: str, tmp_path: Path) -> None:
    names = [f"dataset_{number:04}" for number in range(1_100)]
    (tmp_path / "cold").mkdir()
    pq.write_table(pa.table({"n": [1]}), tmp_path / "one.parquet")
    content = (tmp_path / "one.parquet").read_bytes()
    for name in names:
        (tmp_path / "cold" / f"{name}.parquet").write_bytes(content)
    with server.running(tmp_path) as address, clients.client(kind, address) as client:
        assert [dataset.name for dataset in client.datasets()] == names


def test_no_query_runs_and_none_can_be_cancelled(client: Any) -> None:
    assert client.queries() == []
    with pytest.raises(polarway.QueryNotFound, match="no_such_query") as caught:
        client.cancel("no_such_query")
    assert caught.value.reason == "UNKNOWN_QUERY"
    assert caught.value.request_id


@pytest.mark.parametrize(
    ("arguments", "kind_of_error", "says"),
    [
        ({"name": "wether"}, polarway.DatasetNotFound, "weather"),
        ({"name": "no good"}, polarway.InvalidInput, "no good"),
        ({"name": "weather", "version": 5}, polarway.VersionNotFound, "5"),
        ({"name": "weather", "version": -1}, polarway.InvalidInput, "version"),
        ({"name": "weather", "version": 1 << 64}, polarway.InvalidInput, "version"),
        ({"name": "lone \ud800"}, polarway.InvalidInput, "name"),
        ({"name": "weather", "as_of": datetime(2024, 1, 1)}, polarway.InvalidInput, "time zone"),
        ({"name": "weather", "version": 1, "as_of": datetime.now(UTC)}, polarway.InvalidInput, "leave one out"),
    ],
)
def test_what_can_not_be_described_is_refused_in_one_line(
    kind: str, adopted: str, arguments: dict[str, Any], kind_of_error: type[polarway.PolarwayError], says: str
) -> None:
    with clients.client(kind, adopted) as client, pytest.raises(kind_of_error) as caught:
        client.describe(**arguments)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_host_that_can_not_be_reached_is_told_at_once_with_its_port(kind: str, nobody: str) -> None:
    # The timeout is longer than any patience with this test.
    with clients.client(kind, nobody, timeout=100_000) as client:
        for call in (client.health_check, client.datasets):
            with pytest.raises(polarway.Unavailable) as caught:
                call()
            assert str(caught.value) == f"{nobody} can't be reached: Connection refused"


def test_a_name_without_an_address_is_told(kind: str) -> None:
    with clients.client(kind, "nowhere.invalid", 7) as client, pytest.raises(polarway.PolarwayError) as caught:
        client.datasets()
    assert "nowhere.invalid:7" in str(caught.value)


def test_a_host_that_does_not_answer_is_given_up_within_the_timeout(kind: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as mute:
        address = f"127.0.0.1:{mute.getsockname()[1]}"
        with clients.client(kind, address, timeout=0.5) as client, pytest.raises(polarway.TimedOut) as caught:
            client.datasets()
    assert str(caught.value) == f"the server at {address} did not answer within 0.5 s"


def test_one_worker_that_is_away_is_no_matter(kind: str, address: str, nobody: str) -> None:
    # Which is asked first is drawn.
    for _ in range(5):
        with clients.client(kind, [nobody, address]) as client:
            assert client.datasets() is not None
            assert client.health_check() == "OK"


def test_all_workers_that_are_away_are_an_error(kind: str, nobody: str) -> None:
    with clients.client(kind, [nobody, nobody]) as client, pytest.raises(polarway.Unavailable, match=nobody):
        client.datasets()


def test_the_queries_of_all_workers_are_asked_for(kind: str, address: str, nobody: str) -> None:
    with clients.client(kind, [nobody, address], timeout=1) as client:
        with pytest.raises(polarway.Unavailable, match=nobody):
            client.queries()
        with pytest.raises(polarway.Unavailable, match=nobody):
            client.cancel("no_such_query")


def test_what_is_no_polarway_server_is_told(kind: str) -> None:
    with server.answering() as other, clients.client(kind, other) as client:
        with pytest.raises(polarway.ProtocolError) as caught:
            client.datasets()
        assert str(caught.value).startswith(f"what answers at {other} is no Polarway server")


def test_a_server_of_another_revision_is_told_before_anything_is_asked_of_it(kind: str) -> None:
    old = encode(messages.GetServerInfoResponse(server_version="0.0.1", protocol_revision=1))
    service = methods.GET_SERVER_INFO.path.split("/")[1]
    with (
        server.answering(service, {"GetServerInfo": lambda _request: old}) as other,
        clients.client(kind, other) as client,
    ):
        with pytest.raises(polarway.ProtocolError) as caught:
            client.load("flights")
        assert str(caught.value).startswith("the server is older than this client: it is Polarway 0.0.1")
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf"), "30", None, True])
def test_a_timeout_that_is_none_is_refused(timeout: Any) -> None:
    with pytest.raises(polarway.InvalidInput, match="is no timeout"):
        DistributedClient(timeout=timeout)


def test_credentials_that_are_none_are_refused() -> None:
    with pytest.raises(polarway.InvalidInput, match="ssl_channel_credentials"):
        DistributedClient(credentials="ca.crt")


def test_a_client_that_is_closed_says_so(kind: str, address: str) -> None:
    with clients.client(kind, address) as client:
        client.health_check()
        client.close()
        client.close()
        with pytest.raises(polarway.InvalidInput, match="is closed"):
            client.health_check()


def test_a_client_for_asyncio_may_be_used_in_one_event_loop_after_the_other(address: str) -> None:
    client = AsyncDistributedClient(address)
    for _ in range(3):
        assert asyncio.run(client.health_check()) == "OK"
    asyncio.run(client.close())


def test_a_blocking_client_works_where_an_event_loop_runs(address: str) -> None:
    async def in_a_notebook() -> str:
        with DistributedClient(address) as client:
            return client.health_check()

    assert asyncio.run(in_a_notebook()) == "OK"


def test_a_client_is_pickled_with_its_settings(kind: str, address: str) -> None:
    classes: dict[str, Any] = {"threads": DistributedClient, "asyncio": AsyncDistributedClient}
    original = classes[kind](address, timeout=7, auth_token="secret")
    copy = pickle.loads(pickle.dumps(original))
    assert type(copy) is type(original)
    assert repr(copy) == repr(original) == f"{type(original).__name__}('http://{address}', timeout=7)"


def test_a_client_with_credentials_says_that_it_can_not_be_pickled() -> None:
    client = DistributedClient("localhost", credentials=grpc.ssl_channel_credentials())
    with pytest.raises(polarway.InvalidInput, match="can't be pickled"):
        pickle.dumps(client)


def test_a_token_that_goes_over_a_network_in_the_clear_is_warned_about(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "polarway"):
        DistributedClient(["http://tables.example", "https://tables.example", "localhost"], auth_token="secret")
    (record,) = caplog.records
    assert record.getMessage() == "the token goes to tables.example in the clear: use https://"
