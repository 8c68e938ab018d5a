"""How the tests run: random values are the same each time, and `cargo xtask test` learns what came of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

import clients
import server
import tables

hypothesis.settings.register_profile(
    "deterministic",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=5_000 if os.environ.get("POLARWAY_TEST_LONG") else 200,
    # A busy machine draws slowly.
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("deterministic")


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keeps what the user has set for clients away from the tests'."""
    for name in tuple(os.environ):
        if name.startswith("POLARWAY_") and not name.startswith("POLARWAY_TEST_"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that all tests share, which therefore give their datasets names of their own."""
    with server.running(tmp_path_factory.mktemp("shared")) as address:
        yield address


@pytest.fixture(scope="session")
def with_tables(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a server that has the tables of `tables.py`, for tests that only read them."""
    data = tmp_path_factory.mktemp("tables")
    tables.put(data)
    with server.running(data) as address:
        yield address


@pytest.fixture(params=clients.KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    """Each kind of client, one after the other."""
    kind: str = request.param
    return kind


@pytest.fixture
def client(kind: str, address: str) -> Iterator[Any]:
    """A client of each kind, of the shared server. That for asyncio is used without `await`."""
    with clients.client(kind, address) as client:
        yield client


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Adds a test that lacks something on this machine to the file of those that were not run."""
    file = os.environ.get("POLARWAY_TEST_NOT_RUN")
    if report.skipped and file is not None:
        reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
        with Path(file).open("a", encoding="utf-8") as not_run:
            not_run.write(f"clients/python::{report.nodeid}\t{reason.removeprefix('Skipped: ')}\n")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Writes the line that Rust's tests end with."""
    count = {outcome: len(reports) for outcome, reports in terminalreporter.stats.items()}
    failed = count.get("failed", 0) + count.get("error", 0)
    # As in Rust, a test that was not run has passed as far as the harness knows.
    passed = count.get("passed", 0) + count.get("skipped", 0)
    verdict = "FAILED" if failed else "ok"
    terminalreporter.write_line(f"test result: {verdict}. {passed} passed; {failed} failed; 0 ignored")
