"""Flows in the caller's thread: every wait blocks it."""

from __future__ import annotations

import concurrent.futures
import os
import socket
import threading
import time
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, TypeVar

import grpc

from polarway._address import Address
from polarway._channel import failure_of, open_blocking
from polarway._direct import Direct
from polarway._direct_calls import DirectIncoming, DirectOutgoing, Request
from polarway._memory import joined
from polarway._transport import CallFailed, Headers, Incoming, Job, Outgoing, Pace, Worker
from polarway._watchdog import Watchdog
from polarway._wire import Bytes
from polarway.errors import InvalidInput, PolarwayError

T = TypeVar("T")

# How many threads a client has at the most for work beside its callers.
_THREADS: Final = 8

# How many messages may wait to be sent.
_ROOM: Final = 2


def drive(flow: Awaitable[T]) -> T:
    """Runs a flow to its end. Its transport must be a blocking one, so that it never suspends."""
    steps = flow.__await__()
    try:
        steps.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    raise RuntimeError("a flow awaited something else than a blocking transport")


class BlockingTransport:
    """gRPC for threads, and connections of our own. Any number of threads may use it at the same time."""

    # Windows has no call for it.
    takes_pieces = hasattr(socket.socket, "sendmsg")

    def __init__(self, credentials: grpc.ChannelCredentials | None) -> None:
        self._credentials = credentials
        self._lock = threading.Lock()
        self._channels: dict[int, Any] = {}
        self._directs: dict[int, Direct] = {}
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._watchdog = Watchdog()
        self._process = os.getpid()
        self._is_closed = False

    async def unary(self, worker: Worker, path: str, message: bytes, headers: Headers, within_s: float) -> bytes:
        """See `Transport`."""
        method = self._channel(worker).unary_unary(path)
        try:
            answer: bytes = method(message, timeout=within_s, metadata=headers)
        except grpc.RpcError as error:
            raise CallFailed(failure_of(error, worker.address)) from None
        return answer

    def open(
        self, worker: Worker, path: str, message: bytes, headers: Headers, time_s: float | None, pace: Pace
    ) -> Incoming:
        """See `Transport`."""

        def by_grpc() -> BlockingIncoming:
            method = self._channel(worker).unary_stream(path)
            call = method(message, timeout=time_s, metadata=headers)
            return BlockingIncoming(call, worker.address, time_s, self._watchdog)

        if pace is Pace.AT_ONCE and time_s is None and not worker.address.is_secure:
            return DirectIncoming(self._direct_to(worker), Request(path, headers, message), by_grpc, self._watchdog)
        return by_grpc()

    def upload(self, worker: Worker, path: str, headers: Headers) -> Outgoing:
        """See `Transport`."""

        def by_grpc() -> BlockingOutgoing:
            method = self._channel(worker).stream_unary(path)
            return BlockingOutgoing(lambda messages: method.future(messages, metadata=headers), worker.address)

        if self.takes_pieces and not worker.address.is_secure:
            return DirectOutgoing(self._direct_to(worker), Request(path, headers), by_grpc, self._watchdog)
        return by_grpc()

    async def sleep(self, seconds: float) -> None:
        """See `Transport`."""
        time.sleep(seconds)

    async def run(self, work: Callable[[], T]) -> T:
        """See `Transport`."""
        return work()

    def start(self, work: Callable[[], T]) -> BlockingJob[T]:
        """See `Transport`."""
        check_process(self._process)
        with self._lock:
            self._check()
            if self._threads is None:
                self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS, "polarway")
            return BlockingJob(self._threads.submit(work))

    def close(self) -> None:
        """Ends all calls. To close twice does nothing, and neither does to close in a forked process."""
        if os.getpid() != self._process:
            return
        with self._lock:
            channels, self._channels = self._channels, {}
            directs, self._directs = self._directs, {}
            threads, self._threads = self._threads, None
            self._is_closed = True
        for channel in channels.values():
            channel.close()
        for direct in directs.values():
            direct.end()
        self._watchdog.end_all()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _channel(self, worker: Worker) -> Any:
        # Before the lock: in a forked process it may be held by a thread that is not there.
        check_process(self._process)
        channel = self._channels.get(worker.index)
        if channel is not None:
            return channel
        with self._lock:
            self._check()
            if worker.index not in self._channels:
                self._channels[worker.index] = open_blocking(worker.address, self._credentials)
            return self._channels[worker.index]

    def _direct_to(self, worker: Worker) -> Direct:
        check_process(self._process)
        with self._lock:
            self._check()
            if worker.index not in self._directs:
                self._directs[worker.index] = Direct(worker.address, self._watchdog)
            return self._directs[worker.index]

    def _check(self) -> None:
        if self._is_closed:
            raise InvalidInput("this client is closed")


def check_process(process: int) -> None:
    """Refuses the use of gRPC's channels in a process that was forked from the one that made them: calls would hang.

    Raises:
        PolarwayError: This is another process.
    """
    if os.getpid() != process:
        raise PolarwayError(
            "this client belongs to the process from which this one was forked: make a client in each process, or "
            'start processes with the method "spawn"'
        )


class BlockingIncoming:
    """See `Incoming`."""

    def __init__(self, call: Any, address: Address, time_s: float | None, watchdog: Watchdog) -> None:
        self._call = call
        self._address = address
        self._time_s = time_s
        self._watchdog = watchdog
        self._deadline: float | None = None
        self._is_late = False
        watchdog.watch(self)

    async def next(self, within_s: float) -> bytes | None:
        """See `Incoming`."""
        self._deadline = time.monotonic() + within_s
        try:
            message: bytes = next(self._call)
        except StopIteration:
            self._watchdog.leave(self)
            return None
        except grpc.RpcError as error:
            self._watchdog.leave(self)
            if self._is_late:
                raise TimeoutError from None
            raise CallFailed(failure_of(error, self._address, self._time_s)) from None
        finally:
            self._deadline = None
        return message

    def cancel(self) -> None:
        """See `Incoming`."""
        self._watchdog.leave(self)
        self._call.cancel()

    def look(self, now: float) -> None:
        """See `Watched`."""
        deadline = self._deadline
        if deadline is not None and deadline < now:
            self._is_late = True
            self._call.cancel()

    def end(self) -> None:
        """See `Watched`."""
        self._call.cancel()


class BlockingOutgoing:
    """See `Outgoing`. gRPC takes the messages on a thread of its own."""

    def __init__(self, begin: Callable[[Any], Any], address: Address) -> None:
        self._address = address
        self._changed = threading.Condition()
        self._waiting: deque[bytes] = deque()
        self._is_complete = False
        self._is_over = False
        self._call = begin(self)
        self._call.add_done_callback(self._over)

    async def send(self, message: Sequence[Bytes], within_s: float) -> bool:
        """See `Outgoing`."""
        whole = joined(message)
        with self._changed:
            if not self._changed.wait_for(lambda: self._is_over or len(self._waiting) < _ROOM, within_s):
                raise TimeoutError
            if self._is_over:
                return False
            self._waiting.append(whole)
            self._changed.notify_all()
            return True

    async def answer(self, within_s: float) -> bytes:
        """See `Outgoing`."""
        with self._changed:
            self._is_complete = True
            self._changed.notify_all()
        try:
            answer: bytes = self._call.result(timeout=within_s)
        except grpc.FutureTimeoutError:
            raise TimeoutError from None
        except (grpc.RpcError, grpc.FutureCancelledError):
            raise CallFailed(failure_of(self._call, self._address)) from None
        return answer

    def cancel(self) -> None:
        """See `Outgoing`."""
        self._call.cancel()

    def __iter__(self) -> BlockingOutgoing:
        return self

    def __next__(self) -> bytes:
        """The next message, for gRPC's thread."""
        with self._changed:
            self._changed.wait_for(lambda: self._is_over or self._is_complete or self._waiting)
            if self._is_over or not self._waiting:
                raise StopIteration
            message = self._waiting.popleft()
            self._changed.notify_all()
            return message

    def _over(self, _call: Any) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()


class BlockingJob(Job[T]):
    """See `Job`."""

    def __init__(self, future: concurrent.futures.Future[T]) -> None:
        self._future = future

    async def result(self, within_s: float | None = None) -> T:
        """See `Job`."""
        return self._future.result(within_s)
