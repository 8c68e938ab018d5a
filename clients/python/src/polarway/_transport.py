"""What flows need from the network and the machine.

A *flow* is a coroutine that does all of a call except the I/O. For that it awaits the methods of a `Transport`, and
nothing else. There are two transports. With the blocking one no `await` ever suspends: `polarway._blocking.drive` runs
a flow to its end in the caller's thread. With the one of asyncio, a flow is awaited like any coroutine. So everything
that is not I/O is written once, for both clients.
"""

from __future__ import annotations

import dataclasses
import enum
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Protocol, TypeAlias, TypeVar

from polarway._address import Address
from polarway._failure import Failure
from polarway._wire import Bytes

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

Flow: TypeAlias = Coroutine[Any, Any, T]
"""A coroutine that awaits a transport, and nothing else."""

Headers: TypeAlias = tuple[tuple[str, str], ...]
"""What is sent with a request, besides its message."""


class CallFailed(Exception):
    """A try of a call failed. `polarway._calls` decides whether there is another one."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.message)
        self.failure = failure


@dataclasses.dataclass(frozen=True, slots=True)
class Worker:
    """A server, by its place in the list of those that a client knows."""

    index: int
    address: Address


class Pace(enum.Enum):
    """How the messages of a call are taken."""

    # When somebody wants the next one.
    AS_WANTED = enum.auto()
    # As fast as they come, so that whoever takes them answers the server's questions, too. To make the call twice does
    # no harm.
    AT_ONCE = enum.auto()


class Incoming(Protocol):
    """The messages that a server sends in one call."""

    async def next(self, within_s: float) -> Bytes | None:
        """The next message; `None` behind the last one of a call that succeeded.

        Raises:
            CallFailed: The call failed.
            TimeoutError: No message came in this time. The call is cancelled.
        """
        ...

    def cancel(self) -> None:
        """Ends the call, so that the server stops its work. A call that is over stays as it is."""
        ...


class Outgoing(Protocol):
    """The messages that a client sends in one call, and the server's answer."""

    async def send(self, message: Sequence[Bytes], within_s: float) -> bool:
        """Sends a message, which is in pieces, as soon as there is room for it.

        Returns:
            Whether more may be sent; if not, the server has answered early, or the call failed: `answer` tells.

        Raises:
            CallFailed: The call failed.
            TimeoutError: The server took nothing in this time.
        """
        ...

    async def answer(self, within_s: float) -> Bytes:
        """Says that all is sent, and waits for the answer.

        Raises:
            CallFailed: The call failed.
            TimeoutError: No answer came in this time.
        """
        ...

    def cancel(self) -> None:
        """Ends the call. A call that is over stays as it is."""
        ...


class Job(Protocol[T_co]):
    """Work on a thread of its own."""

    async def result(self, within_s: float | None = None) -> T_co:
        """What the work gives, or raises.

        Raises:
            TimeoutError: It took longer than this. The work goes on, so this can be called again.
        """
        ...


class Transport(Protocol):
    """Calls to workers, waits, and threads."""

    takes_pieces: bool
    """Whether an upload sends the pieces of a message as they are. Otherwise they are joined, better on a thread."""

    async def unary(self, worker: Worker, path: str, message: bytes, headers: Headers, within_s: float) -> bytes:
        """Makes a call with one message and one answer. The server gets the time limit too.

        Raises:
            CallFailed: The call failed, or took longer: then with the code DEADLINE_EXCEEDED.
        """
        ...

    def open(
        self, worker: Worker, path: str, message: bytes, headers: Headers, time_s: float | None, pace: Pace
    ) -> Incoming:
        """Makes a call with one message and a stream of answers. The server ends it after `time_s`, if given."""
        ...

    def upload(self, worker: Worker, path: str, headers: Headers) -> Outgoing:
        """Makes a call with a stream of messages and one answer."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Waits."""
        ...

    async def run(self, work: Callable[[], T]) -> T:
        """Does work that takes milliseconds or longer: in place, or on a thread where that would stop an event loop."""
        ...

    def start(self, work: Callable[[], T]) -> Job[T]:
        """Starts work on a thread, beside the flow."""
        ...
