"""How the tests run: random values are the same each time, and `cargo xtask test` learns what came of them."""

from __future__ import annotations

import os
from pathlib import Path

import hypothesis
import pytest

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
