"""Stores tables. An upload that breaks is made again with the same ids, so that nothing is written twice."""

from __future__ import annotations

import dataclasses
import functools
import uuid
from collections.abc import Mapping
from typing import Final, Literal

from polarway._calls import Attempt, encoded
from polarway._core import Core
from polarway._datasets import checked_expectation, checked_name
from polarway._failure import Failure
from polarway._generated import messages
from polarway._model import Published
from polarway._outgoing import outgoing
from polarway._progress import Progress
from polarway._request_id import fresh_request, of_call, of_table
from polarway._send import Table, send
from polarway._transport import CallFailed
from polarway.errors import BatchFailed, InvalidInput, PolarwayError, ProtocolError

StoreMode = Literal["overwrite", "create"]
"""What a store does with rows that are there: it replaces them, or it is refused if the dataset exists."""

_MODES: Final = {"overwrite": messages.WriteMode.OVERWRITE, "create": messages.WriteMode.CREATE}


async def store(
    core: Core,
    name: str,
    data: object,
    mode: StoreMode,
    expected_version: int | None,
    request: uuid.UUID | None,
) -> Published:
    """Stores a table."""
    if mode not in _MODES:
        raise InvalidInput(f'mode={mode!r}: a store may "overwrite" or "create"; `append` adds rows')
    return await _one(core, name, data, _MODES[mode], expected_version, request)


async def append(
    core: Core, name: str, data: object, expected_version: int | None, request: uuid.UUID | None
) -> Published:
    """Appends a table's rows to a dataset."""
    return await _one(core, name, data, messages.WriteMode.APPEND, expected_version, request)


async def _one(
    core: Core,
    name: str,
    data: object,
    mode: messages.WriteMode,
    expected_version: int | None,
    request: uuid.UUID | None,
) -> Published:
    expected_version = checked_expectation(expected_version)
    header = messages.StoreHeader(name=checked_name(name), mode=mode, expected_version=expected_version)
    (result,) = await _upload(core, [(header, data)], of_call(request))
    if isinstance(result, PolarwayError):
        raise result
    return result


async def store_batch(core: Core, tables: Mapping[str, object]) -> dict[str, Published]:
    """Stores several tables in one call."""
    if not isinstance(tables, Mapping):
        raise InvalidInput(f"{type(tables).__qualname__} is no dict of names and tables")
    headers = [messages.StoreHeader(name=checked_name(name), mode=messages.WriteMode.OVERWRITE) for name in tables]
    results = await _upload(core, list(zip(headers, tables.values(), strict=True)), fresh_request())
    published, errors = {}, {}
    for name, result in zip(tables, results, strict=True):
        if isinstance(result, PolarwayError):
            errors[name] = result
        else:
            published[name] = result
    if errors:
        raise _batch_failed(published, errors)
    return published


def _batch_failed(published: dict[str, Published], errors: dict[str, PolarwayError]) -> PolarwayError:
    first, *others = errors.values()
    if not published and all(other is first for other in others):
        # The call itself failed.
        return first
    texts = "; ".join(f"{name!r}: {error.message}" for name, error in errors.items())
    message = f"{len(errors)} of {len(errors) + len(published)} tables were not stored: {texts}"
    reasons = {error.reason for error in errors.values()}
    reason = first.reason if len(reasons) == 1 else None
    return BatchFailed(message, reason=reason, request_id=first.request_id, published=published, errors=errors)


async def _upload(
    core: Core, given: list[tuple[messages.StoreHeader, object]], request: uuid.UUID
) -> list[Published | PolarwayError]:
    """Uploads tables until each has a result."""
    waiting = {}
    for ordinal, (header, data) in enumerate(given):
        header.request_id = of_table(request, ordinal)
        # What no message can hold is refused before anything is sent.
        encoded(header)
        try:
            # To look at a frame may take long, so it does not happen on an event loop.
            source = await core.transport.run(functools.partial(outgoing, data))
        except InvalidInput as error:
            raise InvalidInput(f"{header.name!r}: {error.message}") from error.__cause__
        waiting[ordinal] = Table(header, source)
    if not waiting:
        return []
    call = await core.call()
    names = [header.name for header, _ in given]
    with core.progress(f"storing {names[0] if len(names) == 1 else f'{len(names)} tables'}") as progress:
        upload = _Upload(waiting, call.id, progress)
        try:
            await call.run(upload.attempt)
        except PolarwayError as error:
            upload.settle(error)
    return [upload.results[ordinal] for ordinal in range(len(given))]


class _Upload:
    """Tables that are being sent, and the results of those that have arrived."""

    def __init__(self, waiting: dict[int, Table], call_id: str, progress: Progress) -> None:
        self._call_id = call_id
        self._progress = progress
        # By their positions in the user's call.
        self._waiting = waiting
        self.results: dict[int, Published | PolarwayError] = {}

    async def attempt(self, attempt: Attempt) -> None:
        """Sends the tables that have no result yet.

        Raises:
            CallFailed: The call failed, or a table can be sent again.
        """
        tables = list(self._waiting.values())
        counts = [table.source.rows for table in tables]
        self._progress.total_rows = None if None in counts else sum(filter(None, counts))
        try:
            results = await send(attempt, tables, self._progress)
            self._sort_out(results)
        except CallFailed as failed:
            if failed.failure.is_transient:
                self._check_repeatable(failed.failure)
            raise

    def _sort_out(self, results: list[messages.StoreResult]) -> None:
        """Takes the result of each table. Tables whose failure may pass wait for the next try."""
        if len(results) != len(self._waiting):
            raise ProtocolError(f"the server gave {len(results)} results for {len(self._waiting)} tables")
        passing = None
        for (ordinal, table), result in zip(list(self._waiting.items()), results, strict=True):
            if result.failure is not None:
                failure = Failure.of_part(result.failure)
                if failure.is_transient:
                    passing = failure
                    continue
                self.results[ordinal] = failure.exception(self._call_id)
            elif result.published is not None:
                self.results[ordinal] = Published.of(result.published)
            else:
                raise ProtocolError(f"the server gave no result for {table.header.name!r}")
            del self._waiting[ordinal]
        if passing is not None:
            raise CallFailed(passing)

    def settle(self, error: PolarwayError) -> None:
        """Gives the same error to all tables that have no result."""
        for ordinal in self._waiting:
            self.results[ordinal] = error
        self._waiting = {}

    def _check_repeatable(self, failure: Failure) -> None:
        once = [table.header.name for table in self._waiting.values() if not table.source.is_repeatable()]
        if once:
            message = f"{failure.message}; the rows of {once[0]!r} can be read only once, so they are not sent again"
            raise dataclasses.replace(failure, message=message).exception(self._call_id)
