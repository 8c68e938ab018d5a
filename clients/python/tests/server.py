"""Real servers for tests, and others that answer in their place."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from polarway import _local

# The program, which `cargo xtask test` names.
VARIABLE = "POLARWAY_TEST_SERVER"


def program() -> str:
    """The program of the server. Without one, the test is not run."""
    found = os.environ.get(VARIABLE)
    if not found:
        pytest.skip(f"{VARIABLE} names no server")
    return found


@contextlib.contextmanager
def running(data: Path, *flags: str, token: str | None = None) -> Iterator[str]:
    """Runs a server on a free port, with its data in a folder, and gives its address."""
    variables = {} if token is None else {"POLARWAY_AUTH_TOKEN": token}
    with _local.running(program(), data, flags, variables) as address:
        yield address


@contextlib.contextmanager
def answering(service: str = "", methods: Mapping[str, Callable[[bytes], bytes]] | None = None) -> Iterator[str]:
    """Runs a server of gRPC that has these methods, from bytes to bytes, and gives its address."""
    handlers = {
        name: grpc.unary_unary_rpc_method_handler(lambda request, _context, answer=answer: answer(request))
        for name, answer in (methods or {}).items()
    }
    answers = grpc.server(ThreadPoolExecutor(1))
    answers.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(service, handlers)])
    port = answers.add_insecure_port("127.0.0.1:0")
    answers.start()
    try:
        yield f"127.0.0.1:{port}"
    finally:
        answers.stop(None).wait()
