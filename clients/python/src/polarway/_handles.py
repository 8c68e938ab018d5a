"""Makes, finds and ends handles: results of queries that stay on the server.

If the answer to a call that makes one is lost, the call is repeated with the same id, and finds the handle that the
first one made.
"""

from __future__ import annotations

import dataclasses
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import pyarrow as pa

from polarway import _arguments
from polarway._calls import Attempt, Kind
from polarway._core import Core
from polarway._failure import Failure
from polarway._generated import messages, methods
from polarway._model import QuerySummary, WithColumns, duration, from_us
from polarway._transport import CallFailed
from polarway._wire import decode
from polarway.errors import ProtocolError

if TYPE_CHECKING:
    from polarway._query import Query

# A longer time is sent as the longest.
_MOST_US: Final = 2**64 - 1


@dataclasses.dataclass(frozen=True, slots=True, repr=False)
class HandleInfo(WithColumns):
    """A handle, described.

    Attributes:
        id: Its id, which is its name in SQL and for `load`. Whoever knows it may use the handle.
        arrow_schema: Its columns, as Arrow has them; `schema` has them as polars does.
        rows: Its rows.
        bytes: About the size of its rows in memory as Arrow, in bytes.
        created: When it was made, in UTC.
        expires: When it expires unless it is used before, in UTC, as the server last said.
        ttl: How long it is kept without being used.
    """

    id: str
    arrow_schema: pa.Schema
    rows: int
    bytes: int
    created: datetime
    expires: datetime
    ttl: timedelta

    @classmethod
    def of(cls, message: messages.Handle | None) -> HandleInfo:
        """From the protocol's message."""
        if message is None:
            raise ProtocolError("the server described a handle and sent none")
        try:
            schema = pa.ipc.read_schema(pa.py_buffer(message.schema))
        except (pa.ArrowException, OSError) as error:
            raise ProtocolError(f"the server described a handle with a schema that is none: {error}") from None
        return cls(
            message.handle_id,
            schema,
            message.rows,
            message.bytes,
            from_us(message.created_us),
            from_us(message.expires_us),
            duration(message.ttl_us),
        )


async def create(core: Core, query: Query, ttl: float | timedelta | None) -> tuple[HandleInfo, QuerySummary | None]:
    """Runs a query and keeps its result. What the query did is not known if an earlier try has made the handle."""
    request = messages.CreateHandleRequest(
        sql=query.request.sql,
        parameters=query.request.parameters,
        ttl_us=_ttl_us(ttl),
        # The handle's id is made of these bits, which nobody must be able to guess.
        request_id=f"{uuid.uuid4()}/0",
        engine=query.request.engine,
    )

    async def attempt(attempt: Attempt) -> tuple[HandleInfo, QuerySummary | None]:
        incoming = attempt.open(methods.CREATE_HANDLE, request, query.time_s)
        made: messages.CreateHandleResponse | None = None
        try:
            received = await attempt.first(incoming)
            # The stream is read to its end: the server would take an earlier end for a cancelled call.
            while received is not None:
                step = decode(messages.CreateHandleResponse, received)
                if step.handle is None:
                    attempt.going()
                else:
                    made = step
                received = await attempt.next(incoming)
        except BaseException:
            incoming.cancel()
            raise
        if made is None:
            # A proxy may end a stream before the server does.
            raise CallFailed(Failure.unreachable("the stream ended before the handle was made"))
        summary = None if made.summary is None else QuerySummary.of(made.summary)
        return HandleInfo.of(made.handle), summary

    return await (await core.call(Kind.QUERY)).run(attempt)


async def find(core: Core, handle_id: str) -> HandleInfo:
    """An existing handle."""
    answer = await core.unary(methods.GET_HANDLE, messages.GetHandleRequest(handle_id=_checked(handle_id)))
    return HandleInfo.of(answer.handle)


async def find_all(core: Core) -> list[HandleInfo]:
    """All handles, by id."""
    pages = await core.pages(methods.LIST_HANDLES, messages.ListHandlesRequest())
    return [HandleInfo.of(handle) for page in pages for handle in page.handles]


async def extend(core: Core, handle_id: str, ttl: float | timedelta | None) -> HandleInfo:
    """Puts the expiry of a handle off."""
    request = messages.ExtendHandleRequest(handle_id=_checked(handle_id), ttl_us=_ttl_us(ttl))
    return HandleInfo.of((await core.unary(methods.EXTEND_HANDLE, request)).handle)


async def drop(core: Core, handle_id: str) -> None:
    """Drops a handle before it expires."""
    await core.unary(methods.DROP_HANDLE, messages.DropHandleRequest(handle_id=_checked(handle_id)))


def _checked(handle_id: object) -> str:
    return _arguments.text(handle_id, "id of a handle")


def _ttl_us(ttl: float | timedelta | None) -> int | None:
    if ttl is None:
        return None
    return round(min(max(_arguments.seconds(ttl, "time to live") * 1e6, 1), _MOST_US))
