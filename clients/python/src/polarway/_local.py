"""A server on this machine, for notebooks and tests."""

from __future__ import annotations

import atexit
import collections
import contextlib
import os
import re
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from queue import Empty, Queue
from typing import Final

from polarway._client import DistributedClient
from polarway.errors import InvalidInput, Unavailable

# How long a server may take to start, and to end before it is killed.
_PATIENCE_S: Final = 60

# How many of its last lines are told if it does not start.
_LINES: Final = 10

_LISTENING: Final = re.compile(r"listening on (\S+)")


@contextlib.contextmanager
def local(
    folder: str | os.PathLike[str] | None = None,
    *,
    program: str | os.PathLike[str] = "polarway",
    flags: Sequence[str] = (),
    timeout: float = 30,
) -> Iterator[DistributedClient]:
    """Starts a server on this machine, and gives a client of it. Both end with the `with` block.

        with polarway.local() as client:
            client.store("trades", frame)

    The server listens on a free port of this machine only. It ignores settings of the environment. If the block is
    never left, as in the cells of a notebook, both end with the program:

        server = polarway.local()
        client = server.__enter__()

    Args:
        folder: Where its data is; it is made if it is missing. The default is a temporary folder, which is removed.
        program: `polarway` or `polarway-server`: a name that is looked up on PATH, or a path.
        flags: More flags of `polarway server`, such as `["--cache-size", "0.5"]`.
        timeout: That of the client, in seconds.

    Yields:
        The client. Others can be made for its `urls`.

    Raises:
        InvalidInput: There is no such program.
        Unavailable: The server does not start; the message has what it said.
    """
    found = shutil.which(program)
    if found is None:
        raise InvalidInput(f"there is no program {os.fspath(program)!r}: put it on PATH, or give its path as `program`")
    with contextlib.ExitStack() as stack:
        # A notebook may never leave the block. When the interpreter frees what is left at its end, threads can't be
        # waited for any more.
        atexit.register(stack.close)
        stack.callback(atexit.unregister, stack.close)
        if folder is None:
            temporary = tempfile.TemporaryDirectory(prefix="polarway-", ignore_cleanup_errors=True)
            folder = stack.enter_context(temporary)
        address = stack.enter_context(running(found, Path(folder), flags))
        yield stack.enter_context(DistributedClient(address, timeout=timeout))


@contextlib.contextmanager
def running(
    program: str, folder: Path, flags: Sequence[str], variables: Mapping[str, str] | None = None
) -> Iterator[str]:
    """Runs a server with these flags and variables, and gives its address."""
    is_server_alone = Path(program).stem.endswith("-server")
    command = [program, *([] if is_server_alone else ["server"]), "--bind", "127.0.0.1:0", "--data-dir", str(folder)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("POLARWAY_")}
    environment |= variables or {}
    with subprocess.Popen(
        [*command, *flags],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        encoding="utf-8",
        errors="replace",
        # Ctrl-C is for the program that uses it, which then ends it.
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        lines: Queue[str | None] = Queue()
        reader = threading.Thread(target=_read, args=(process.stdout, lines), name="polarway-local", daemon=True)
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
    is_started = False
    for line in output:
        if not is_started:
            lines.put(line)
            is_started = _LISTENING.search(line) is not None
    lines.put(None)


def _address(lines: Queue[str | None]) -> str:
    said: collections.deque[str] = collections.deque(maxlen=_LINES)
    while True:
        try:
            line = lines.get(timeout=_PATIENCE_S)
        except Empty:
            line = None
        if line is None:
            texts = "; ".join(filter(None, map(str.strip, said)))
            raise Unavailable(f"the server did not start; it said: {texts}")
        said.append(line)
        if match := _LISTENING.search(line):
            return match[1]
