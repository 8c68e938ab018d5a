"""Loads and uploads over connections of our own.

Whatever fails before the answer of a load has begun, or the first message of an upload was sent, is asked again over
gRPC, which tells what is wrong. What fails later is a broken call like any other: a load continues at its next row,
and an upload is made again, over gRPC then.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

from polarway._channel import failure_of_status, hung_up
from polarway._direct import Direct
from polarway._failure import Failure
from polarway._headers import Broken, Status
from polarway._http2 import Connection
from polarway._transport import CallFailed, Headers, Incoming, Outgoing
from polarway._watchdog import Watchdog
from polarway._wire import Bytes

Other = TypeVar("Other", bound=Incoming | Outgoing)


@dataclasses.dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    path: str
    headers: Headers
    # `None` is an upload, whose messages come later.
    message: bytes | None = None


class _DirectCall(Generic[Other]):
    """A call that has a connection of our own, or is made over gRPC in its place."""

    def __init__(self, direct: Direct, request: Request, by_grpc: Callable[[], Other], watchdog: Watchdog) -> None:
        self._direct = direct
        self._request = request
        self._by_grpc = by_grpc
        self._watchdog = watchdog
        # The call over gRPC, if it had to be made.
        self._other: Other | None = None
        self._connection: Connection | None = None
        self._is_late = self._is_ended = False
        self._deadline: float | None = None
        watchdog.watch(self)

    def cancel(self) -> None:
        """See `Incoming` and `Outgoing`."""
        if self._other is not None:
            self._other.cancel()
        self._close()

    def look(self, now: float) -> None:
        """See `Watched`."""
        deadline = self._deadline
        if deadline is not None and deadline < now:
            self._is_late = True
            self.end()

    def end(self) -> None:
        """See `Watched`."""
        self._is_ended = True
        connection = self._connection
        if connection is not None:
            connection.abort()

    def _begun(self) -> Connection:
        """The connection, with a new call on it.

        Raises:
            Broken, OSError: There is none.
        """
        request = self._request
        self._connection = connection = self._direct.take()
        connection.begin(request.path, request.headers, request.message)
        if self._is_ended:
            raise Broken("the call was ended")
        return connection

    def _instead(self) -> Other:
        """The same call over gRPC."""
        self._direct.pause()
        self._other = self._by_grpc()
        return self._other

    def _failure(self, status: Status) -> Failure:
        return failure_of_status(status.code, status.message, status.details, self._direct.address)

    def _broken(self, error: Exception) -> Exception:
        """What a call is ended with whose connection broke, or which took too long."""
        self._close()
        if self._is_late:
            self._direct.pause()
            return TimeoutError()
        return CallFailed(hung_up(self._direct.address, error))

    def _give_back(self) -> None:
        self._watchdog.leave(self)
        connection, self._connection = self._connection, None
        if connection is not None:
            self._direct.give_back(connection)

    def _close(self) -> None:
        self._watchdog.leave(self)
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()


class DirectIncoming(_DirectCall[Incoming]):
    """See `Incoming`."""

    def __init__(self, direct: Direct, request: Request, by_grpc: Callable[[], Incoming], watchdog: Watchdog) -> None:
        super().__init__(direct, request, by_grpc, watchdog)
        self._has_begun = False

    async def next(self, within_s: float) -> Bytes | None:
        """See `Incoming`."""
        if self._other is not None:
            return await self._other.next(within_s)
        deadline = time.monotonic() + within_s
        self._deadline = deadline
        try:
            message = self._next()
        except (OSError, Broken) as error:
            broken = self._broken(error)
            if self._is_late or self._has_begun:
                raise broken from None
        else:
            if message is None:
                self._give_back()
            self._has_begun = True
            return message
        finally:
            self._deadline = None
        return await self._instead().next(max(0.0, deadline - time.monotonic()))

    def _next(self) -> Bytes | None:
        """The next message; `None` behind the last.

        Raises:
            CallFailed: The server says why the call failed.
            Broken, OSError: There is none, for another reason.
        """
        connection = self._connection or self._begun()
        message = connection.next()
        status = connection.status
        if status is None or status.code == 0:
            return message
        failure = self._failure(status)
        if failure.reason is None and not self._has_begun:
            raise Broken("the server gives no reason")
        self._give_back()
        raise CallFailed(failure)


class DirectOutgoing(_DirectCall[Outgoing]):
    """See `Outgoing`."""

    def __init__(self, direct: Direct, request: Request, by_grpc: Callable[[], Outgoing], watchdog: Watchdog) -> None:
        super().__init__(direct, request, by_grpc, watchdog)
        # Whether the connection took no more. The server may have said why before.
        self._is_cut = False

    async def send(self, message: Sequence[Bytes], within_s: float) -> bool:
        """See `Outgoing`."""
        if self._connection is None and self._other is None:
            self._begin()
        if self._other is not None:
            return await self._other.send(message, within_s)
        self._deadline = time.monotonic() + within_s
        try:
            return self._open().send(message)
        except Broken as error:
            raise self._broken(error) from None
        except OSError as error:
            if self._is_late:
                raise self._broken(error) from None
            self._is_cut = True
            return False
        finally:
            self._deadline = None

    async def answer(self, within_s: float) -> Bytes:
        """See `Outgoing`."""
        if self._other is not None:
            return await self._other.answer(within_s)
        self._deadline = time.monotonic() + within_s
        try:
            return self._answer(self._open())
        except (OSError, Broken) as error:
            raise self._broken(error) from None
        finally:
            self._deadline = None

    def _broken(self, error: Exception) -> Exception:
        self._direct.pause()
        return super()._broken(error)

    def _begin(self) -> None:
        try:
            self._begun()
        except (OSError, Broken):
            self._close()
            self._instead()

    def _open(self) -> Connection:
        if self._connection is None:
            raise Broken("the call is over")
        return self._connection

    def _answer(self, connection: Connection) -> Bytes:
        if not self._is_cut:
            connection.finish()
        answer = connection.next()
        if answer is not None and connection.next() is not None:
            raise Broken("there are two answers")
        status = connection.status
        if status is None or (status.code == 0 and answer is None):
            raise Broken("there is no answer")
        self._give_back()
        if status.code == 0 and answer is not None:
            return answer
        failure = self._failure(status)
        if failure.reason is None:
            # No server of ours has said so.
            self._direct.pause()
        raise CallFailed(failure)
