"""The scenarios that the clients of all languages share, see `proto/cases/README.md`."""

from __future__ import annotations

import dataclasses
import functools
import json
import time
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

import breaking_proxy
import clients
import server
from polarway import PolarwayError
from polarway._generated.reasons import REASONS
from scenario_tables import built, difference

FOLDER = Path(__file__).parents[3] / "proto" / "cases" / "scenarios"
FILES = {file.stem: json.loads(file.read_text(encoding="utf-8")) for file in sorted(FOLDER.glob("*.json"))}
SCENARIOS = [
    pytest.param(scenario, id=f"{name}: {scenario['name']}")
    for name, content in FILES.items()
    for scenario in content["scenarios"]
]
# The other client's calls are the same; what is different for it is what happens when they are interrupted.
INTERRUPTIONS = [scenario for scenario in SCENARIOS if "interruptions" in str(scenario.id)]

PATIENCE_S = 120
STEP = {"call", "with", "as", "gives", "refused", "timeout_ms", "eventually", "breaks_at"}


@dataclasses.dataclass
class Outcome:
    """What a call gave."""

    version: int | None = None
    rows: int | None = None
    count: int | None = None
    names: list[str] | None = None
    table: pa.Table | None = None

    @classmethod
    def of(cls, table: pa.Table) -> Outcome:
        return cls(rows=table.num_rows, table=table)


class Runner:
    """The steps of a scenario, done with a client."""

    def __init__(self, scenario: dict[str, Any], kind: str, address: str, threads: ThreadPoolExecutor) -> None:
        assert scenario.keys() <= {"name", "server", "tables", "steps"}
        self.steps: list[dict[str, Any]] = scenario["steps"]
        self.tables = scenario.get("tables", {})
        self.kind = kind
        self.address = address
        self.threads = threads
        self.handles: dict[str, str] = {}
        self.started: dict[str, tuple[str, Future[pa.Table]]] = {}

    def run(self) -> None:
        for number, step in enumerate(self.steps, 1):
            assert step.keys() <= STEP
            what = f"step {number} ({step['call']})"
            if "breaks_at" not in step:
                timeout_s = step.get("timeout_ms", PATIENCE_S * 1000) / 1000
                self.step(what, step, self.address, timeout_s)
                continue
            with breaking_proxy.before(self.address) as whole:
                self.step(what, step, whole.address)
            for part in step["breaks_at"]:
                with breaking_proxy.before(self.address, int(whole.count * part)) as breaking:
                    self.step(what, step, breaking.address)
                    assert breaking.failures == 1, f"{what}: it did not break at {part}"

    def step(self, what: str, step: dict[str, Any], address: str, timeout_s: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + PATIENCE_S
        with clients.client(self.kind, address, timeout=timeout_s) as client:
            while (difference := self.difference(step, client)) is not None:
                assert step.get("eventually"), f"{what}: {difference}"
                assert time.monotonic() < deadline, f"{what}: {difference}"
                time.sleep(0.02)

    def difference(self, step: dict[str, Any], client: Any) -> str | None:
        """How what a call gives, or is refused with, is not what it should be."""
        refused = step.get("refused")
        try:
            outcome = self.call(step, client)
        except PolarwayError as error:
            return repr(error) if refused is None else self.difference_of_refusal(refused, error)
        return self.difference_of_outcome(step, outcome) if refused is None else f"{outcome} and not {refused}"

    def difference_of_refusal(self, refused: dict[str, Any], error: PolarwayError) -> str | None:
        assert refused.keys() == {"reason", "says"}
        says = [self.with_ids(said) for said in refused["says"]]
        is_same = error.reason == refused["reason"] and all(said in str(error) for said in says)
        return None if is_same else f"{error.reason}: {error} and not {refused}"

    def difference_of_outcome(self, step: dict[str, Any], outcome: Outcome) -> str | None:
        gives = dict(step.get("gives", {}))
        table = gives.pop("table", None)
        for name, value in gives.items():
            if getattr(outcome, name) != value:
                return f"{outcome} and not {gives}"
        if table is None:
            return None
        assert outcome.table is not None
        return difference(self.table(table), outcome.table, is_query=step["call"] != "load")

    def call(self, step: dict[str, Any], client: Any) -> Outcome:
        given = {name: self.with_ids(value) for name, value in step.get("with", {}).items()}
        call = getattr(self, f"call_{step['call']}")
        named = {"as_": step["as"]} if "as" in step else {}
        outcome: Outcome = call(client, **given, **named)
        return outcome

    def with_ids(self, value: Any) -> Any:
        """A text with the ids of handles in the place of their names."""
        if isinstance(value, str):
            for name, handle_id in self.handles.items():
                value = value.replace(f"{{{name}}}", handle_id)
        return value

    def table(self, table: Any) -> pa.Table:
        return self.made(table) if isinstance(table, str) else built(table)

    @functools.cache  # noqa: B019 - a runner is gone with its scenario.
    def made(self, name: str) -> pa.Table:
        return built(self.tables[name])

    def call_store(
        self, client: Any, name: str, table: Any, mode: str = "overwrite", expected_version: int | None = None
    ) -> Outcome:
        if mode == "append":
            stored = client.append(name, self.table(table), expected_version=expected_version)
        else:
            stored = client.store(name, self.table(table), mode=mode, expected_version=expected_version)
        return Outcome(version=stored.version, rows=stored.rows)

    def call_load(self, client: Any, rows: list[int] | None = None, **named: Any) -> Outcome:
        return Outcome.of(client.load(**named, rows=None if rows is None else range(*rows), as_="arrow"))

    def call_query(
        self, client: Any, sql: str, parameters: list[str] | None = None, time_ms: int | None = None
    ) -> Outcome:
        time_limit = None if time_ms is None else time_ms / 1000
        return Outcome.of(client.query(sql, parameters, time_limit=time_limit, as_="arrow"))

    def call_describe(self, client: Any, name: str) -> Outcome:
        described = client.describe(name)
        return Outcome(version=described.version, rows=described.rows)

    def call_versions(self, client: Any, name: str) -> Outcome:
        return Outcome(count=len(client.versions(name)))

    def call_delete(self, client: Any, name: str, expected_version: int | None = None) -> Outcome:
        return Outcome(version=client.delete(name, expected_version=expected_version).version)

    def call_datasets(self, client: Any) -> Outcome:
        return Outcome(names=[dataset.name for dataset in client.datasets()])

    def call_keep(
        self, client: Any, sql: str, ttl_ms: int | None = None, time_ms: int | None = None, as_: str | None = None
    ) -> Outcome:
        ttl = None if ttl_ms is None else ttl_ms / 1000
        time_limit = None if time_ms is None else time_ms / 1000
        handle = client.query_handle(sql, ttl=ttl, time_limit=time_limit)
        handle.keep()
        if as_ is not None:
            self.handles[as_] = handle.id
        return Outcome(rows=handle.rows)

    def call_handle(self, client: Any, **named: Any) -> Outcome:
        return Outcome(rows=client.handle(named["id"]).rows)

    def call_drop(self, client: Any, **named: Any) -> Outcome:
        client.drop_handle(named["id"])
        return Outcome()

    def call_start(self, client: Any, sql: str, until: str, as_: str) -> Outcome:
        def query() -> pa.Table:
            with clients.client(self.kind, self.address, timeout=PATIENCE_S) as other:
                return other.query(sql, as_="arrow")

        self.started[as_] = (sql, self.threads.submit(query))
        self.id_of(client, sql, until)
        return Outcome()

    def call_cancel(self, client: Any, query: str | None = None, **named: Any) -> Outcome:
        query_id = named["id"] if query is None else self.id_of(client, self.started[query][0], "running")
        client.cancel(query_id)
        return Outcome()

    def call_wait(self, client: Any, query: str) -> Outcome:  # noqa: ARG002 - All calls have it.
        return Outcome.of(self.started.pop(query)[1].result(PATIENCE_S))

    def id_of(self, client: Any, sql: str, phase: str) -> str:
        """Waits until a query has this phase."""
        while True:
            for query in client.queries():
                if (query.sql, query.phase) == (sql, phase):
                    query_id: str = query.query_id
                    return query_id


def run(scenario: dict[str, Any], kind: str, folder: Path) -> None:
    flags = scenario.get("server", [])
    with server.running(folder, *flags) as address, ThreadPoolExecutor() as threads:
        Runner(scenario, kind, address, threads).run()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_a_scenario_comes_out_as_in_all_clients(scenario: dict[str, Any], tmp_path: Path) -> None:
    run(scenario, "threads", tmp_path)


@pytest.mark.parametrize("scenario", INTERRUPTIONS)
def test_what_is_interrupted_comes_out_so_for_asyncio(scenario: dict[str, Any], tmp_path: Path) -> None:
    run(scenario, "asyncio", tmp_path)


def test_every_reason_is_met_or_it_is_said_why_not() -> None:
    steps = [step for file in FILES.values() for scenario in file["scenarios"] for step in scenario["steps"]]
    met = {step["refused"]["reason"] for step in steps if "refused" in step}
    elsewhere = {reason for file in FILES.values() for reason in file.get("elsewhere", {})}
    assert met | elsewhere == REASONS.keys()
