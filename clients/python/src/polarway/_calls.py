"""Makes every call: chooses the worker, bounds each wait, and tries again after some failures.

A `Call` has the deadline, the waits between tries, and the choice of the worker. Each try is an `Attempt`, which bounds
every wait for the server. No wait is without a bound: a balancer keeps connections alive in front of a worker that has
stopped, so nothing else would show that the worker does not answer.

A method of the clients is a flow that makes a call. One with a single answer is a line:

    answer = await core.unary(methods.GET_DATASET, messages.GetDatasetRequest(name=name))

Any other is a coroutine that does one try, which the call repeats as long as a retry can help:

    async def attempt(attempt: Attempt) -> Handle:
        incoming = attempt.open(methods.CREATE_HANDLE, request)
        ...
    handle = await core.call().run(attempt)
"""

from __future__ import annotations

import dataclasses
import enum
import secrets
import uuid
from collections.abc import Awaitable, Callable
from typing import Final, TypeVar

from polarway import _failure, _trace, errors
from polarway._address import Address
from polarway._channel import CONNECT_S
from polarway._failure import Failure, Origin
from polarway._retry import Breaks, Tries
from polarway._transport import CallFailed, Headers, Incoming, Outgoing, Pace, Transport, Worker
from polarway._wire import Bytes, Message, Method, Request, Response, decode, encode

T = TypeVar("T")

SILENCE_S: Final = 5.0
"""How long a stream may bring nothing before its connection counts as broken. A server sends something each second."""

OPENING_S: Final = CONNECT_S + SILENCE_S
"""How long a worker may take to begin its answer."""

_ID_HEADER: Final = "x-request-id"


class Kind(enum.Enum):
    """The kind of a call. It decides how often the call may be made again."""

    # To repeat it does no harm: it reads, or it writes under an id that the server recognises.
    IDEMPOTENT = enum.auto()
    # It asks whether a server answers. That a connection can't be made is an answer, if no worker can be reached. A
    # balancer's error about its worker is none.
    PROBE = enum.auto()
    # It runs a query. A query that makes its worker fail must not make all of them fail.
    QUERY = enum.auto()


_BREAKS: Final = {Kind.QUERY: Breaks(2, count_from_start=True)}


class Workers:
    """The workers that a client knows. All of them serve the same tables; one is asked until it fails."""

    def __init__(self, addresses: tuple[Address, ...]) -> None:
        self.all = tuple(Worker(index, address) for index, address in enumerate(addresses))
        # Many clients with one list of workers should not all begin with the first.
        self._current = secrets.randbelow(len(self.all))

    def pick(self) -> Worker:
        """The worker to ask now."""
        return self.all[self._current]

    def pass_over(self, worker: Worker) -> None:
        """A worker failed: from now on the next one is asked, unless another call has changed the worker already."""
        if self._current == worker.index:
            self._current = (worker.index + 1) % len(self.all)


@dataclasses.dataclass(frozen=True, slots=True)
class Common:
    """What all calls of a client have in common."""

    transport: Transport
    workers: Workers
    headers: Headers
    timeout_s: float


class Call:
    """One call, from its first try to its last."""

    def __init__(self, common: Common, kind: Kind, only: Worker | None = None) -> None:
        self.id = str(uuid.uuid4())
        self._transport = common.transport
        self._workers = common.workers
        self._headers = (*common.headers, (_ID_HEADER, self.id), *_trace.headers())
        self._kind = kind
        self._tries = Tries(common.timeout_s, _BREAKS.get(kind, Breaks()))
        # The worker that alone can answer.
        self._only = only
        # The worker of the current try.
        self._worker = only
        # The workers that a probe has not asked yet.
        self._unasked = len(self._workers.all) - 1
        # The longest wait for an answer that is one message. It doubles with each try, because the answer may take that
        # long.
        self._patience_s = OPENING_S

    async def run(self, attempt: Callable[[Attempt], Awaitable[T]]) -> T:
        """Makes attempts until one succeeds, one fails in a way that a retry can't help, or the time is over.

        A stream is read by several calls of this method: the worker stays the same until an attempt fails.

        Raises:
            PolarwayError: What the last attempt failed with.
        """
        while True:
            try:
                return await attempt(self._attempt())
            except CallFailed as failed:
                failure = failed.failure
            except errors.PolarwayError as error:
                raise self._of_this_call(error) from error.__cause__
            wait_s = self._wait_s(failure)
            if wait_s is None:
                raise self._exception(self._tries.told(failure)) from None
            await self._transport.sleep(wait_s)

    async def go_on(self, attempt: Callable[[Attempt], Awaitable[T]]) -> T:
        """Makes one more attempt at the current worker. The user has earlier results already: a failure is final.

        Raises:
            PolarwayError: What the attempt failed with.
        """
        try:
            return await attempt(self._attempt())
        except CallFailed as failed:
            failure = failed.failure
        except errors.PolarwayError as error:
            raise self._of_this_call(error) from error.__cause__
        self._leave_worker(failure)
        raise failure.exception(self.id)

    def _attempt(self) -> Attempt:
        if self._worker is None:
            self._worker = self._workers.pick()
        return Attempt(self._transport, self._worker, self._headers, self._tries, self._patience_s)

    def _wait_s(self, failure: Failure) -> float | None:
        """How long to wait before the next try, which may go to another worker; `None` if there is none."""
        self._leave_worker(failure)
        self._patience_s *= 2
        if self._kind is Kind.PROBE and failure.origin is Origin.CONNECTION:
            self._unasked -= 1
            return 0.0 if self._unasked >= 0 else None
        return self._tries.wait_s(failure)

    def _leave_worker(self, failure: Failure) -> None:
        """Changes the worker after a failure that may pass, and after one of its certificate.

        After other failures it stays: other workers would refuse the call too, and a handle may exist on this worker
        only.
        """
        if (failure.is_transient or failure.origin is Origin.TLS) and self._only is None and self._worker is not None:
            self._workers.pass_over(self._worker)
            self._worker = None

    def _exception(self, failure: Failure) -> errors.PolarwayError:
        # That a worker is busy is useful to the user; that a connection broke only says how the time ended.
        if failure.reason is None and failure.is_transient and self._tries.count > 1:
            timeout, tries = f"{self._tries.timeout_s:g} s", self._tries.count
            message = f"no answer within {timeout}, in {tries} tries; the last said: {failure.message}"
            return errors.Unavailable(message, request_id=self.id)
        return failure.exception(self.id)

    def _of_this_call(self, error: errors.PolarwayError) -> errors.PolarwayError:
        if error.request_id is None:
            error.request_id = self.id
        return error


class Attempt:
    """One try of a call, at one worker."""

    def __init__(self, transport: Transport, worker: Worker, headers: Headers, tries: Tries, patience_s: float) -> None:
        self.transport = transport
        self.worker = worker
        self._headers = headers
        self._tries = tries
        self.patience_s = patience_s
        """The longest wait for an answer that is one message."""

    async def unary(self, method: Method[Request, Response], request: Request) -> Response:
        """Makes a call with one message and one answer.

        Raises:
            CallFailed: It failed, or no answer came.
        """
        left_s = self._tries.left_s()
        bound_s = min(self.patience_s, left_s)
        try:
            received = await self.transport.unary(self.worker, method.path, encoded(request), self._headers, bound_s)
        except CallFailed as failed:
            # The server may tell sooner than this client that the time was over.
            if failed.failure.code != _failure.DEADLINE_EXCEEDED:
                raise
            raise CallFailed(self._no_answer("did not answer", bound_s, left_s)) from None
        return decode(method.response, received)

    def open(
        self,
        method: Method[Request, Response],
        request: Request,
        time_s: float | None = None,
        pace: Pace = Pace.AS_WANTED,
    ) -> Incoming:
        """Makes a call whose answer is a stream. The server ends it after `time_s`, if that is given."""
        return self.transport.open(self.worker, method.path, encoded(request), self._headers, time_s, pace)

    async def first(self, incoming: Incoming) -> Bytes | None:
        """Waits for the first message of a stream, or for its end.

        Raises:
            CallFailed: It failed, or did not begin.
        """
        left_s = self._tries.left_s()
        bound_s = min(OPENING_S, left_s)
        try:
            return await incoming.next(bound_s)
        except TimeoutError:
            raise CallFailed(self._no_answer("did not begin to answer", bound_s, left_s)) from None

    async def next(self, incoming: Incoming) -> Bytes | None:
        """Waits for the next message of a stream; `None` is its end.

        Raises:
            CallFailed: It failed, or fell silent.
        """
        try:
            return await incoming.next(SILENCE_S)
        except TimeoutError:
            message = f"the server at {self.worker.address} has been silent for {SILENCE_S:g} s"
            raise CallFailed(Failure.unreachable(message)) from None

    def upload(self, method: Method[Request, Response]) -> Outgoing:
        """Makes a call with a stream of messages and one answer."""
        return self.transport.upload(self.worker, method.path, self._headers)

    @property
    def timeout_s(self) -> float:
        """The timeout of the call. It counts from the beginning, or from the last progress."""
        return self._tries.timeout_s

    def going(self) -> None:
        """The server works on the call: the timeout starts again."""
        self._tries.going()

    def progress(self) -> None:
        """The call made progress that a retry keeps."""
        self._tries.progress()

    def _no_answer(self, what: str, bound_s: float, left_s: float) -> Failure:
        address = self.worker.address
        if bound_s < left_s:
            return Failure.unreachable(f"the server at {address} {what} for {bound_s:g} s")
        message = f"the server at {address} {what} within {self._tries.timeout_s:g} s"
        return Failure(_failure.DEADLINE_EXCEEDED, message)


def encoded(request: Message) -> bytes:
    """The bytes of a request.

    Raises:
        InvalidInput: A number or a text of the user's is in it that no message can hold.
    """
    try:
        return encode(request)
    except ValueError as error:
        # The error names the field.
        raise errors.InvalidInput(str(error)) from None
