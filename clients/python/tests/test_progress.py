"""The line that says how far a long transfer is."""

from __future__ import annotations

import io
import itertools
import pickle
import sys
import types
from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

import clients
import polarway
from polarway import DistributedClient, _progress
from polarway._progress import Progress, is_wanted


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_a_long_transfer_has_a_line_and_a_short_one_has_none() -> None:
    clock, output = Clock(), io.StringIO()
    with Progress("loading flights", output, clock) as progress:
        progress.total_rows = 2_000
        clock.now += 0.9
        progress.advance(500, 10_000_000)
        assert output.getvalue() == ""
        clock.now += 0.1
        progress.advance(500, 10_000_000)
        assert output.getvalue() == "\rloading flights: 50% of 2,000 rows, 20 MB, 20 MB/s"
        # Not after each chunk.
        clock.now += 0.1
        progress.advance(500, 0)
        clock.now += 0.9
        progress.advance(500, 0)
    lines = output.getvalue().split("\r")
    assert len(lines) == 4
    assert lines[-1].rstrip(" ") == "loading flights: 100% of 2,000 rows, 20 MB, 10 MB/s\n"


def test_a_transfer_of_rows_that_nobody_has_counted_tells_those_that_travelled() -> None:
    clock, output = Clock(), io.StringIO()
    with Progress("querying", output, clock) as progress:
        clock.now += 2
        progress.advance(123_456, 8_000_000)
        progress.again()
        clock.now += 2
        progress.advance(1, 0)
    assert output.getvalue().split("\r")[1:3] == [
        "querying: 123,456 rows, 8 MB, 4 MB/s",
        # A shorter line hides all of the longer one.
        "querying: 1 rows, 0 MB, 0 MB/s".ljust(len("querying: 123,456 rows, 8 MB, 4 MB/s")),
    ]


def test_it_is_shown_in_notebooks_unless_somebody_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    shell = types.SimpleNamespace()
    monkeypatch.setitem(sys.modules, "IPython", types.SimpleNamespace(get_ipython=lambda: shell))
    assert not is_wanted(None)
    shell.kernel = object()
    assert is_wanted(None)
    assert not is_wanted(False)
    monkeypatch.delitem(sys.modules, "IPython")
    assert not is_wanted(None)
    assert is_wanted(True)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Shows the line for each chunk of each transfer."""
    monkeypatch.setattr(_progress, "_FIRST_S", 0.0)
    monkeypatch.setattr(_progress, "_BETWEEN_S", 0.0)


@pytest.mark.usefixtures("impatient")
def test_stores_loads_and_queries_show_how_far_they_are(
    kind: str, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    frame = pl.DataFrame({"n": range(500_000)})
    with clients.client(kind, address, progress=True) as client:
        calls: dict[str, Callable[[], object]] = {
            "storing progress": lambda: client.store("progress", frame),
            "storing 2 tables": lambda: client.store_batch({"progress": frame, "progress_too": frame}),
            "loading progress": lambda: client.load("progress"),
            "querying": lambda: client.query("FROM progress"),
        }
        for line, call in calls.items():
            call()
            shown = [part.strip() for part in capsys.readouterr().err.split("\r")[1:]]
            assert len(shown) > 3
            assert all(part.startswith(f"{line}: ") for part in shown)
            if line != "querying":
                percents = [int(part.removeprefix(f"{line}: ").partition("%")[0]) for part in shown]
                assert all(one <= other for one, other in itertools.pairwise(percents))
                assert percents[-1] == 100
    with clients.client(kind, address) as client:
        client.load("progress")
    assert capsys.readouterr().err == ""


def test_a_copy_of_a_client_shows_it_too() -> None:
    client = DistributedClient(progress=True)
    copy: Any = pickle.loads(pickle.dumps(client))
    assert copy._core.settings.has_progress
    with pytest.raises(TypeError):
        polarway.DistributedClient("localhost", 1, 2, None, None, True)  # type: ignore[call-arg]
