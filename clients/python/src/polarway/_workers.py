"""Tells about the workers that answer: health, versions, the cache, and their queries."""

from __future__ import annotations

from polarway import _arguments
from polarway._core import Core
from polarway._generated import messages, methods
from polarway._model import RunningQuery, ServerInfo
from polarway.errors import PolarwayError, Unavailable


async def health_check(core: Core) -> str:
    """Checks that a server serves."""
    status = (await core.health()).status
    if status != messages.ServingStatus.SERVING:
        name = status.name if isinstance(status, messages.ServingStatus) else status
        raise Unavailable(f"the server says that it is {name}")
    return "OK"


async def server_info(core: Core) -> ServerInfo:
    """The worker that answers."""
    return ServerInfo.of(await core.unary(methods.GET_SERVER_INFO, messages.GetServerInfoRequest()))


async def cache_stats(core: Core) -> dict[str, int | float]:
    """The state of the cache of the worker that answers."""
    stats = await core.unary(methods.GET_CACHE_STATS, messages.GetCacheStatsRequest())
    return {field.name: getattr(stats, field.name) for field in stats.FIELDS}


async def queries(core: Core) -> list[RunningQuery]:
    """The queries that wait or run on all workers, the oldest first."""
    found: list[RunningQuery] = []
    for worker in core.workers:
        answer = await core.unary(methods.LIST_QUERIES, messages.ListQueriesRequest(), only=worker)
        found.extend(map(RunningQuery.of, answer.queries))
    return sorted(found, key=lambda query: query.started)


async def cancel(core: Core, query_id: str) -> None:
    """Cancels a query, on whichever worker it runs."""
    request = messages.CancelQueryRequest(query_id=_arguments.text(query_id, "id of a query"))
    failed: PolarwayError | None = None
    for worker in core.workers:
        try:
            await core.unary(methods.CANCEL_QUERY, request, only=worker)
        except PolarwayError as error:
            # That a worker did not answer is more useful to know than that another one refused.
            if failed is None or failed.reason is not None:
                failed = error
        else:
            return
    if failed is not None:
        raise failed
