"""A real server for tests."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue

import pytest

# The program, which `cargo xtask test` names.
VARIABLE = "POLARWAY_TEST_SERVER"

# How long it may take on a busy machine to start and to end.
_PATIENCE_S = 60


@contextlib.contextmanager
def running(data: Path, *flags: str, token: str | None = None) -> Iterator[str]:
    """Runs a server on a free port, with its data in a folder, and gives its address."""
    program = os.environ.get(VARIABLE)
    if not program:
        pytest.skip(f"{VARIABLE} names no server")
    command = [program, "--bind", "127.0.0.1:0", "--data-dir", str(data), *flags]
    # The settings of whoever runs the tests are not the tests'.
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLARWAY_")}
    if token is not None:
        environment["POLARWAY_AUTH_TOKEN"] = token
    with subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL
    ) as process:
        assert process.stdout is not None
        lines: Queue[str | None] = Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines))
        reader.start()
        try:
            yield _address(lines)
        finally:
            process.terminate()
            try:
                process.wait(_PATIENCE_S)
            except subprocess.TimeoutExpired:
                process.kill()
            reader.join()


def _read(output: Iterator[str], lines: Queue[str | None]) -> None:
    """Takes what the server writes, all of it: a full pipe would stop the server."""
    for line in output:
        lines.put(line)
    lines.put(None)


def _address(lines: Queue[str | None]) -> str:
    said: list[str] = []
    while True:
        try:
            line = lines.get(timeout=_PATIENCE_S)
        except Empty:
            line = None
        if line is None:
            pytest.fail(f"the server did not start; it said: {''.join(said)}")
        said.append(line)
        if match := re.search(r"listening on (\S+)", line):
            return match[1]
