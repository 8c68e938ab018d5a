"""Flows in tasks of asyncio: every wait is the event loop's, and work that takes long is done by threads."""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import grpc

from polarway._address import Address
from polarway._blocking import check_process
from polarway._channel import failure_of, open_async
from polarway._transport import CallFailed, Headers, Job, Pace, Worker
from polarway._wire import Bytes
from polarway.errors import InvalidInput

T = TypeVar("T")

# How many threads decode and encode at the same time. Much of that holds Python's lock: more of them would keep the
# event loop waiting for longer, and not be faster.
_THREADS: Final = 2


class AsyncTransport:
    """gRPC for asyncio. Its connections belong to an event loop; if another one runs, they are made again."""

    takes_pieces = False

    def __init__(self, credentials: grpc.ChannelCredentials | None) -> None:
        self._credentials = credentials
        self._channels: dict[int, Any] = {}
        self._loop: asyncio.AbstractEventLoop | None = None
        self._threads: concurrent.futures.ThreadPoolExecutor | None = None
        self._process = os.getpid()
        self._is_closed = False

    async def unary(self, worker: Worker, path: str, message: bytes, headers: Headers, within_s: float) -> bytes:
        """See `Transport`."""
        method = self._channel(worker).unary_unary(path)
        try:
            answer: bytes = await method(message, timeout=within_s, metadata=headers)
        except grpc.RpcError as error:
            raise CallFailed(failure_of(error, worker.address)) from None
        return answer

    def open(
        self, worker: Worker, path: str, message: bytes, headers: Headers, time_s: float | None, _pace: Pace
    ) -> AsyncIncoming:
        """See `Transport`."""
        method = self._channel(worker).unary_stream(path)
        return AsyncIncoming(method(message, timeout=time_s, metadata=headers), worker.address, time_s)

    def upload(self, worker: Worker, path: str, headers: Headers) -> AsyncOutgoing:
        """See `Transport`."""
        method = self._channel(worker).stream_unary(path)
        return AsyncOutgoing(method(metadata=headers), worker.address)

    async def sleep(self, seconds: float) -> None:
        """See `Transport`."""
        await asyncio.sleep(seconds)

    async def run(self, work: Callable[[], T]) -> T:
        """See `Transport`."""
        return await asyncio.get_running_loop().run_in_executor(self._executor(), work)

    def start(self, work: Callable[[], T]) -> AsyncJob[T]:
        """See `Transport`."""
        return AsyncJob(asyncio.get_running_loop().run_in_executor(self._executor(), work))

    async def close(self) -> None:
        """Ends all calls. To close twice does nothing."""
        channels, self._channels = self._channels, {}
        threads, self._threads = self._threads, None
        self._is_closed = True
        if os.getpid() != self._process:
            return
        if self._loop is asyncio.get_running_loop():
            for channel in channels.values():
                await channel.close()
        if threads is not None:
            threads.shutdown(wait=False, cancel_futures=True)

    def _channel(self, worker: Worker) -> Any:
        self._check()
        loop = asyncio.get_running_loop()
        if loop is not self._loop:
            # Those of a loop that has ended can't be closed any more.
            self._channels = {}
            self._loop = loop
        if worker.index not in self._channels:
            self._channels[worker.index] = open_async(worker.address, self._credentials)
        return self._channels[worker.index]

    def _executor(self) -> concurrent.futures.ThreadPoolExecutor:
        self._check()
        if self._threads is None:
            self._threads = concurrent.futures.ThreadPoolExecutor(_THREADS, "polarway")
        return self._threads

    def _check(self) -> None:
        if self._is_closed:
            raise InvalidInput("this client is closed")
        check_process(self._process)


class AsyncIncoming:
    """See `Incoming`."""

    def __init__(self, call: Any, address: Address, time_s: float | None) -> None:
        self._call = call
        self._loop = asyncio.get_running_loop()
        self._address = address
        self._time_s = time_s
        self._is_late = False

    async def next(self, within_s: float) -> bytes | None:
        """See `Incoming`."""
        # A timer costs less than a task for each message, as `asyncio.wait_for` makes one.
        timer = self._loop.call_later(within_s, self._give_up)
        try:
            message = await self._call.read()
        except grpc.RpcError as error:
            raise CallFailed(failure_of(error, self._address, self._time_s)) from None
        except asyncio.CancelledError:
            # gRPC cancels whoever waits for a call that is cancelled.
            if self._is_late:
                raise TimeoutError from None
            raise
        finally:
            timer.cancel()
        return message if isinstance(message, bytes) else None

    def cancel(self) -> None:
        """See `Incoming`."""
        self._call.cancel()

    def _give_up(self) -> None:
        self._is_late = True
        self._call.cancel()

    def __del__(self) -> None:
        # gRPC holds calls that nobody reads any more. This may be another thread than the event loop's, and the event
        # loop may have ended, with the call.
        if not self._call.done():
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._call.cancel)


class AsyncOutgoing:
    """See `Outgoing`."""

    def __init__(self, call: Any, address: Address) -> None:
        self._call = call
        self._address = address

    async def send(self, message: Sequence[Bytes], within_s: float) -> bool:
        """See `Outgoing`."""
        if self._call.done():
            return False
        try:
            async with asyncio.timeout(within_s):
                await self._call.write(b"".join(message))
        except (grpc.RpcError, asyncio.InvalidStateError):
            return False
        except asyncio.CancelledError:
            # gRPC cancels whoever writes to a call that is over.
            if self._call.done() and not _is_cancelled():
                return False
            raise
        return True

    async def answer(self, within_s: float) -> bytes:
        """See `Outgoing`."""
        async with asyncio.timeout(within_s):
            return await self._answer()

    async def _answer(self) -> bytes:
        try:
            if not self._call.done():
                await self._call.done_writing()
            answer: bytes = await asyncio.shield(self._call)
        except grpc.RpcError as error:
            raise CallFailed(failure_of(error, self._address)) from None
        return answer

    def cancel(self) -> None:
        """See `Outgoing`."""
        self._call.cancel()


class AsyncJob(Job[T]):
    """See `Job`."""

    def __init__(self, future: asyncio.Future[T]) -> None:
        self._future = future

    async def result(self, within_s: float | None = None) -> T:
        """See `Job`."""
        # The work goes on if its result is not awaited any more. Python 3.11's `asyncio.wait_for` would lose a
        # cancellation that comes together with the result.
        async with asyncio.timeout(within_s):
            return await asyncio.shield(self._future)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
