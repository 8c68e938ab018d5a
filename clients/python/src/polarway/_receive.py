"""One try of a stream of rows: checks the order of its chunks, and notices silence and breaks."""

from __future__ import annotations

from typing import Generic, TypeVar

from polarway._calls import Attempt
from polarway._decode import END_MARK, Rows
from polarway._failure import Failure
from polarway._generated import messages
from polarway._memory import note_message
from polarway._transport import CallFailed, Pace
from polarway._wire import Message, Method, decode
from polarway.errors import ProtocolError

Request = TypeVar("Request", bound=Message)
Step = TypeVar("Step", bound=Message)


class Receiver(Generic[Request, Step]):
    """The stream that one try of a call receives from a worker."""

    def __init__(
        self,
        attempt: Attempt,
        method: Method[Request, Step],
        request: Request,
        *,
        number: int,
        first_row: int = 0,
        time_s: float | None = None,
        pace: Pace = Pace.AS_WANTED,
    ) -> None:
        self._answer = method.response
        self._incoming = attempt.open(method, request, time_s, pace)
        self._is_open = False
        # Which stream of its call it is.
        self._number = number
        self._is_complete = False
        self.next_row = first_row
        """The number of the row that comes next."""

    async def next(self, attempt: Attempt) -> Step | None:
        """The next message: one with nothing in it is a heartbeat, `None` the end of a complete table.

        Raises:
            CallFailed: The call failed, fell silent, or ended too early.
            ProtocolError: A chunk is not the one that comes next.
        """
        wait = attempt.next if self._is_open else attempt.first
        message = await wait(self._incoming)
        self._is_open = True
        if message is None:
            if not self._is_complete:
                raise CallFailed(Failure.unreachable("the stream ended in the middle of the table"))
            return None
        return decode(self._answer, message)

    def rows(self, chunk: messages.Chunk) -> Rows:
        """Takes a chunk.

        Raises:
            ProtocolError: It is not the one that comes next.
        """
        if chunk.first_row != self.next_row:
            raise ProtocolError(f"the server sent row {chunk.first_row} where row {self.next_row} comes next")
        note_message(len(chunk.ipc))
        self.next_row += chunk.rows
        self._is_complete = chunk.ipc[-len(END_MARK) :] == END_MARK
        return Rows(self._number, chunk.ipc, chunk.rows)

    def cancel(self) -> None:
        """Ends the call, so that the server stops its work."""
        self._incoming.cancel()
