"""Memory that messages had is used for the next ones."""

from __future__ import annotations

import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

_SOURCE = Path(__file__).parents[1] / "src"

# As gRPC has it: several messages are there at a time, and all of them are freed before the next come.
_PROGRAM = """
import resource, sys
sys.path.insert(0, {source!r})
from polarway import _memory

if {keeps}:
    _memory.keep_for_messages()

def receive():
    messages = [b"m" * (800 << 10) for _ in range(16)]

receive()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
for _ in range(20):
    receive()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""


def _page_faults(*, keeps: bool) -> int:
    program = _PROGRAM.format(source=str(_SOURCE), keeps=keeps)
    # Malloc's settings for this process may be such that nothing is given back.
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    run = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    return int(run.stdout)


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc gives back what was freed at once")
def test_the_memory_of_messages_is_not_given_back_and_asked_for_again() -> None:
    assert 10 * _page_faults(keeps=True) < _page_faults(keeps=False)
