"""Both clients as one: what tests do with a client, they do with each."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

from polarway import AsyncDistributedClient, AsyncHandle, AsyncLazyQuery, DistributedClient, GroupBy

KINDS = ("threads", "asyncio")


class Awaited:
    """A client for asyncio whose methods can be called without `await`, in an event loop of its own.

    What they return is awaited as well: streams become iterators, and handles are used without `await`, too.
    """

    def __init__(self, inner: Any, runner: asyncio.Runner) -> None:
        self._inner = inner
        self._runner = runner

    def __getattr__(self, name: str) -> Any:
        return self._awaited(getattr(self._inner, name))

    def __iter__(self) -> Iterator[Any]:
        messages = aiter(self._inner)
        while True:
            try:
                item = self._runner.run(_next(messages))
            except StopAsyncIteration:
                return
            yield self._awaited(item)

    def __len__(self) -> int:
        return len(self._inner)

    def __repr__(self) -> str:
        return repr(self._inner)

    def __enter__(self) -> Any:
        self._runner.run(_begin(self._inner))
        return self

    def __exit__(self, *error: object) -> None:
        self._runner.run(self._inner.__aexit__(*error))

    def _awaited(self, value: Any) -> Any:
        if asyncio.iscoroutine(value):
            value = self._runner.run(value)
        if callable(value) and not isinstance(value, type):
            return lambda *given, **named: self._awaited(value(*map(_inner, given), **named))
        is_used = hasattr(value, "__aiter__") or isinstance(value, AsyncHandle | AsyncLazyQuery | GroupBy)
        return Awaited(value, self._runner) if is_used else value


def _inner(argument: Any) -> Any:
    return argument._inner if isinstance(argument, Awaited) else argument


async def _next(messages: AsyncIterator[Any]) -> Any:
    return await anext(messages)


async def _begin(inner: Any) -> Any:
    return await inner.__aenter__()


@contextlib.contextmanager
def client(kind: str, *given: Any, **named: Any) -> Iterator[Any]:
    """A client of this kind."""
    if kind == "threads":
        with DistributedClient(*given, **named) as blocking:
            yield blocking
        return
    with asyncio.Runner() as runner, Awaited(AsyncDistributedClient(*given, **named), runner) as awaited:
        yield awaited
