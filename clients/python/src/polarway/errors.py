"""What goes wrong, as exceptions under one base class.

The text of an exception is the server's message: what is wrong, with the wrong name or value, and what to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from polarway._model import Published


class PolarwayError(Exception):
    """The base class of all exceptions of this package.

    Attributes:
        message: What is wrong, for people.
        reason: What is wrong, for programs, such as `UNKNOWN_DATASET`; `None` if no server gave a reason.
        request_id: The call's id, which the server's log has as well; `None` if no call was made.
    """

    message: str
    reason: str | None
    request_id: str | None

    def __init__(self, message: str, *, reason: str | None = None, request_id: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.reason = reason
        self.request_id = request_id

    def __reduce__(self) -> tuple[Any, ...]:
        # Exceptions are pickled by what `__init__` takes by position, and their attributes are set afterwards.
        return type(self), (self.message,), self.__dict__


class InvalidInput(PolarwayError):
    """A name, a value or a table that can't be used. Nothing was changed."""


class SchemaMismatch(InvalidInput):
    """The rows don't fit the dataset; the message names each difference."""


class NotFound(PolarwayError):
    """What was asked for is not there."""


class DatasetNotFound(NotFound):
    """No dataset has this name; the message has those near it."""


class VersionNotFound(NotFound):
    """The dataset has no such version, or retention has removed its data."""


class ColumnNotFound(NotFound):
    """The table has no such column; the message has those near it."""


class HandleNotFound(NotFound):
    """There is no such handle any more. Its query can be run again."""


class QueryNotFound(NotFound):
    """No such query runs on the worker that answered."""


class Conflict(PolarwayError):
    """The dataset is not as the write expected: look at what is there, and decide again."""


class BatchFailed(PolarwayError):
    """Some tables of a `store_batch` were not stored; each is stored on its own.

    Attributes:
        published: The versions of the tables that were stored, by name.
        errors: Why the others were not, by name.
    """

    published: dict[str, Published]
    errors: dict[str, PolarwayError]

    def __init__(
        self,
        message: str,
        *,
        reason: str | None = None,
        request_id: str | None = None,
        published: dict[str, Published] | None = None,
        errors: dict[str, PolarwayError] | None = None,
    ) -> None:
        super().__init__(message, reason=reason, request_id=request_id)
        self.published = published or {}
        self.errors = errors or {}


class Unauthenticated(PolarwayError):
    """The server needs a token, or does not accept the one that was sent."""


class PermissionDenied(PolarwayError):
    """The caller may not do this."""


class QueryError(PolarwayError):
    """A query that is wrong, or that failed on its data or its size."""


class QueryCancelled(PolarwayError):
    """Somebody cancelled the work."""


class ResourceExhausted(PolarwayError):
    """The server lacks memory, threads or room for this, or the caller's quota is used up."""


class TimedOut(PolarwayError):
    """The answer did not come in time."""


class Unavailable(PolarwayError):
    """No server answers, or the one that does can't now. The same call may succeed later."""


class ServerFailed(PolarwayError):
    """The server failed: its data is damaged, its configuration is wrong, or it has a bug."""


class ProtocolError(PolarwayError):
    """What came is not of this protocol, or of another version of it."""


class MalformedMessage(ProtocolError):
    """Bytes are no message of the protocol. The text names the message and says what is wrong and where."""
