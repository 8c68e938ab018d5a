"""Runs SQL. A query whose stream breaks is run again if the user has nothing of its result yet."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any, Final, Literal

from polarway import _arguments, _incoming, _parameters
from polarway._calls import Attempt, Call, Kind
from polarway._core import Core
from polarway._decode import Rows, Table
from polarway._failure import Failure
from polarway._gather import gathered
from polarway._generated import messages, methods
from polarway._incoming import As
from polarway._load import whole
from polarway._model import QuerySummary
from polarway._progress import Watched
from polarway._receive import Receiver
from polarway._resumable import Hold, Resumable
from polarway._transport import CallFailed
from polarway.errors import InvalidInput, ProtocolError

Parameters = Sequence[Any] | Mapping[str, Any]
"""The values of a query's parameters, by position or by name."""

EngineChoice = Literal["auto", "local", "distributed"]
"""Which workers run a query: those that the server chooses, the one that is asked, or all of them together."""

_ENGINES: Final = {
    "auto": messages.Engine.UNSPECIFIED,
    "local": messages.Engine.LOCAL,
    "distributed": messages.Engine.DISTRIBUTED,
}

# gRPC's header for it has eight digits.
_LONGEST_S: Final = 99_999_999


class Query:
    """A query, as it is sent."""

    def __init__(
        self,
        sql: str,
        parameters: Parameters | None,
        time_limit: float | timedelta | None,
        *,
        resumable: bool = False,
        hugeint_as_text: bool = False,
        engine: EngineChoice = "auto",
    ) -> None:
        if resumable and hugeint_as_text:
            raise InvalidInput(
                "a resumable result has its HUGEINT as decimals: leave out hugeint_as_text, or resumable"
            )
        if engine not in _ENGINES:
            raise InvalidInput(f"{engine!r} is no engine: give 'auto', 'local' or 'distributed'")
        self.request = messages.QueryRequest(
            sql=_arguments.text(sql, "SQL"),
            parameters=_parameters.encoded(parameters),
            hugeint_as_text=bool(hugeint_as_text),
            engine=_ENGINES[engine],
        )
        self.time_s = None if time_limit is None else min(_arguments.seconds(time_limit, "time limit"), _LONGEST_S)
        self.is_resumable = bool(resumable)


class Result:
    """The result of one run of a query, as it arrives."""

    def __init__(self, attempt: Attempt, query: Query) -> None:
        self._receiver = Receiver(attempt, methods.QUERY, query.request, number=1, time_s=query.time_s)
        self._ready: deque[Rows] = deque()
        self.summary: QuerySummary | None = None
        """What the query did, once its last row has arrived."""

    async def step(self, attempt: Attempt) -> bool:
        """Takes one message, and tells whether there may be more."""
        step = await self._receiver.next(attempt)
        if step is None:
            if self.summary is None:
                raise CallFailed(Failure.unreachable("the result ended before its summary"))
            return False
        if step.chunk is not None:
            self._ready.append(self._receiver.rows(step.chunk))
        if step.summary is not None:
            self.summary = QuerySummary.of(step.summary)
        attempt.going()
        return True

    async def begin(self, attempt: Attempt) -> None:
        """Waits for the first chunk."""
        while not self._ready:
            if not await self.step(attempt):
                raise ProtocolError("a result ended before it began")

    def take(self) -> Rows | None:
        """The next chunk, if it is there."""
        return self._ready.popleft() if self._ready else None

    def cancel(self) -> None:
        """Stops the query, if it runs."""
        self._receiver.cancel()


class _Whole:
    """The chunks of a result that one attempt receives."""

    def __init__(self, result: Result, attempt: Attempt) -> None:
        self._result = result
        self._attempt = attempt

    async def next(self) -> Rows | None:
        while True:
            chunk = self._result.take()
            if chunk is not None:
                return chunk
            if not await self._result.step(self._attempt):
                return None


class Running:
    """A query that runs: its chunks one after the other. After the first, a break is an error."""

    def __init__(self, core: Core, query: Query) -> None:
        self._core = core
        self._query = query
        self._call: Call | None = None
        self._result: Result | None = None

    async def begin(self) -> None:
        """Waits for the first chunk. To begin twice does nothing."""
        if self._result is None:
            self._call = await self._core.call(Kind.QUERY)
            await self._call.run(self._attempt_begin)

    async def next(self) -> Rows | None:
        """The next chunk; `None` behind the last."""
        await self.begin()
        result, call = self._result, self._call
        assert result is not None and call is not None  # noqa: PT018 - It has begun.
        while True:
            chunk = result.take()
            if chunk is not None:
                return chunk
            if not await call.go_on(self._attempt_step):
                return None

    def close(self) -> None:
        """Stops the query, if it runs."""
        if self._result is not None:
            self._result.cancel()

    @property
    def summary(self) -> QuerySummary | None:
        """What the query did, once its last row has arrived."""
        return None if self._result is None else self._result.summary

    async def _attempt_begin(self, attempt: Attempt) -> None:
        result = Result(attempt, self._query)
        try:
            await result.begin(attempt)
        except BaseException:
            result.cancel()
            raise
        self._result = result

    async def _attempt_step(self, attempt: Attempt) -> bool:
        assert self._result is not None  # It has begun.
        try:
            return await self._result.step(attempt)
        except BaseException:
            self._result.cancel()
            raise


def running(core: Core, query: Query, hold: Hold) -> Running | Resumable:
    """A query whose result is taken in pieces."""
    return Resumable(core, query, hold) if query.is_resumable else Running(core, query)


async def query(core: Core, query: Query, as_: As, hold: Hold) -> Any:
    """Runs a query and gives its whole result. Unless it is resumable, it is run again if it breaks before that."""
    _incoming.check_form(as_)
    if query.is_resumable:
        return await whole(core, Resumable(core, query, hold), Table(as_, forms=core.forms), "querying")

    async def attempt(attempt: Attempt) -> Any:
        result = Result(attempt, query)
        try:
            with core.progress("querying") as progress:
                return await gathered(core, Watched(_Whole(result, attempt), progress), Table(as_, forms=core.forms))
        finally:
            result.cancel()

    return await (await core.call(Kind.QUERY)).run(attempt)
