"""`polarway.local`, which starts a server on this machine."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest

import polarway
import server


@pytest.fixture
def program() -> str:
    """The server's program."""
    return server.program()


SOURCE = Path(__file__).parents[1] / "src"
FRAME = pl.DataFrame({"n": [1, 2, 3]})


def test_a_local_server_ends_with_its_block_and_so_does_its_folder(
    program: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    # Settings of the environment are not those of this server.
    monkeypatch.setenv("POLARWAY_AUTH_TOKEN", "secret")
    monkeypatch.setenv("POLARWAY_BIND_ADDRESS", "nonsense")
    with polarway.local(program=program) as client:
        client.store("numbers", FRAME)
        assert client.load("numbers").equals(FRAME)
        assert len(list(tmp_path.iterdir())) == 1
        (url,) = client.urls
        with polarway.DistributedClient(url) as other:
            assert other.load("numbers").equals(FRAME)
    assert list(tmp_path.iterdir()) == []
    host, port = url.removeprefix("http://").split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_a_local_server_may_keep_its_data_and_have_flags(program: str, tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    with polarway.local(folder, program=Path(program), flags=["--cache-size", "0"]) as client:
        client.store("numbers", FRAME)
        assert client.cache_stats()["capacity_bytes"] == 0
    with polarway.local(folder, program=program) as client:
        assert client.load("numbers").equals(FRAME)


def test_a_program_on_the_path_is_found_by_its_name(program: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(Path(program).parent))
    with polarway.local(program=Path(program).name) as client:
        assert client.health_check() == "OK"


def test_a_program_that_is_not_there_is_named() -> None:
    with (
        pytest.raises(polarway.InvalidInput, match="no program 'polarway-of-nowhere'"),
        polarway.local(program="polarway-of-nowhere"),
    ):
        pass


def test_a_server_that_does_not_start_says_why(program: str) -> None:
    with (
        pytest.raises(polarway.Unavailable, match="--no-such-flag"),
        polarway.local(program=program, flags=["--no-such-flag"]),
    ):
        pass


def test_a_block_that_is_never_left_ends_with_the_program(program: str, tmp_path: Path) -> None:
    text = f"""
        import sys
        sys.path.insert(0, {str(SOURCE)!r})
        import polarway
        server = polarway.local(program={program!r})
        client = server.__enter__()
        handle = client.query_handle("SELECT 1 AS one")
        stream = client.load_stream(handle.id)
        print(client.urls[0].removeprefix("http://"))
    """
    script = [sys.executable, "-c", textwrap.dedent(text)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}
    run = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=True)
    assert run.stderr == ""
    assert list(tmp_path.iterdir()) == []
    host, port = run.stdout.strip().split(":")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((host, int(port)))


def test_an_error_in_the_block_ends_the_server_and_is_passed_on(program: str) -> None:
    with pytest.raises(ZeroDivisionError), polarway.local(program=program) as client:
        raise ZeroDivisionError
    with pytest.raises(polarway.InvalidInput, match="is closed"):
        client.health_check()
