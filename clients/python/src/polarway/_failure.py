"""Why a call failed: read from its status, or from a part of its answer, and turned into an exception."""

from __future__ import annotations

import dataclasses
import enum
from typing import Final

from polarway import errors
from polarway._generated import messages
from polarway._generated.reasons import REASONS
from polarway._wire import Bytes, decode

# A reason of another domain, perhaps from a proxy, is not of this protocol.
_DOMAIN: Final = "polarway"

UNIMPLEMENTED: Final = 12
DEADLINE_EXCEEDED: Final = 4
UNAVAILABLE: Final = 14
BROKEN: Final = frozenset((1, 2, 10, 13, UNAVAILABLE))
"""The codes of a connection that broke: CANCELLED, UNKNOWN, ABORTED, INTERNAL, UNAVAILABLE."""

_CLASSES: Final[dict[type[errors.PolarwayError], tuple[str, ...]]] = {
    errors.InvalidInput: (
        "INVALID_NAME",
        "UNSUPPORTED",
        "INVALID_INPUT",
        "INVALID_HANDLE",
        "INVALID_REQUEST",
        "MESSAGE_TOO_LARGE",
        "REQUEST_EXPIRED",
    ),
    errors.SchemaMismatch: ("SCHEMA_MISMATCH",),
    errors.DatasetNotFound: ("UNKNOWN_DATASET",),
    errors.VersionNotFound: ("UNKNOWN_VERSION",),
    errors.ColumnNotFound: ("UNKNOWN_COLUMN",),
    errors.HandleNotFound: ("UNKNOWN_HANDLE", "HANDLE_EXPIRED", "HANDLE_DROPPED", "HANDLE_LOST"),
    errors.QueryNotFound: ("UNKNOWN_QUERY",),
    errors.Conflict: ("ALREADY_EXISTS", "VERSION_CONFLICT"),
    errors.Unauthenticated: ("MISSING_TOKEN", "INVALID_TOKEN", "TOKEN_EXPIRED", "TOKEN_WITHDRAWN"),
    errors.PermissionDenied: ("PERMISSION_DENIED", "QUERY_NOT_ALLOWED", "READ_ONLY"),
    errors.QueryError: (
        "INVALID_QUERY",
        "QUERY_FAILED",
        "QUERY_TOO_LARGE",
        "READER_TOO_SLOW",
        "NOT_DISTRIBUTABLE",
        "WORKER_LOST",
    ),
    errors.QueryCancelled: ("CANCELLED",),
    errors.ResourceExhausted: ("RESOURCE_EXHAUSTED", "HANDLES_FULL", "QUOTA_EXCEEDED", "STORAGE_FULL"),
    errors.TimedOut: ("DEADLINE_EXCEEDED",),
    errors.Unavailable: (
        "SHUTTING_DOWN",
        "TOKEN_UNCHECKED",
        "STORAGE_FAILED",
        "OUTCOME_UNKNOWN",
        "CHANGED",
        "CHECKSUM_MISMATCH",
        "UPLOAD_TRUNCATED",
        "UPLOAD_STALLED",
    ),
    errors.ServerFailed: ("CORRUPT", "MISCONFIGURED", "INTERNAL"),
    errors.ProtocolError: (
        "MALFORMED_MESSAGE",
        "UNKNOWN_METHOD",
        "UNSUPPORTED_ENCODING",
        "UNEXPECTED_PART",
        "CHUNK_OUT_OF_ORDER",
        "MALFORMED_ARROW",
        "ROW_COUNT_MISMATCH",
    ),
}

CLASS_OF_REASON: Final = {reason: kind for kind, reasons in _CLASSES.items() for reason in reasons}


class Origin(enum.Enum):
    """Who found that a call failed."""

    # The server, a proxy, or this client.
    PEER = enum.auto()
    # The connection itself broke, or could not be made: neither a server nor a proxy answered.
    CONNECTION = enum.auto()
    # The connection can't be made secure. It could not the next time, either.
    TLS = enum.auto()


@dataclasses.dataclass(frozen=True, slots=True)
class Failure:
    """Why a call, or a part of one, failed."""

    # The gRPC code.
    code: int
    message: str
    # `None` where no server of ours gave one: a proxy or the connection itself failed.
    reason: str | None = None
    # How long the server asks to wait before a retry.
    retry_delay_s: float = 0.0
    origin: Origin = Origin.PEER

    @classmethod
    def unreachable(cls, message: str) -> Failure:
        """No server answers: the same call may succeed when made again."""
        return cls(UNAVAILABLE, message)

    @classmethod
    def of_status(cls, code: int, message: str, details: Bytes | None) -> Failure:
        """What a call's status says, with the bytes of its trailer `grpc-status-details-bin`.

        Details that can't be read are as good as none: the code and the message are there.
        """
        reason = None
        delay = 0.0
        try:
            for detail in decode(messages.Status, details or b"").details:
                # The part before the slash may be any host.
                name = detail.type_url.rpartition("/")[2]
                if name == messages.ErrorInfo.FULL_NAME:
                    info = decode(messages.ErrorInfo, detail.value)
                    reason = info.reason or None if info.domain == _DOMAIN else None
                elif name == messages.RetryInfo.FULL_NAME:
                    wait = decode(messages.RetryInfo, detail.value).retry_delay or messages.Duration()
                    delay = max(0.0, wait.seconds + wait.nanos / 1e9)
        except errors.MalformedMessage:
            pass
        return cls(code, message, reason, delay)

    @classmethod
    def of_part(cls, failure: messages.Failure) -> Failure:
        """What an answer says about a part of the call."""
        return cls(failure.code, failure.message, failure.reason or None, (failure.retry_delay_ms or 0) / 1000)

    @property
    def is_transient(self) -> bool:
        """Whether the same call may succeed when made again. That of a reason of a later version is not known."""
        if self.origin is Origin.TLS:
            return False
        if self.reason is None:
            return self.code in BROKEN
        rule = REASONS.get(self.reason)
        return rule is not None and rule.retry

    @property
    def is_of_busy_server(self) -> bool:
        """Whether the server is only busy: nothing broke."""
        rule = None if self.reason is None else REASONS.get(self.reason)
        return rule is not None and rule.busy

    def exception(self, request_id: str | None) -> errors.PolarwayError:
        """The exception for users."""
        if self.reason is not None:
            kind = CLASS_OF_REASON.get(self.reason, errors.PolarwayError)
            return kind(self.message, reason=self.reason, request_id=request_id)
        kind = _kind_of_code(self.code)
        return kind(self.message, request_id=request_id)


def _kind_of_code(code: int) -> type[errors.PolarwayError]:
    """The exception of a status that no server of ours made."""
    if code in BROKEN:
        return errors.Unavailable
    if code == DEADLINE_EXCEEDED:
        return errors.TimedOut
    if code == UNIMPLEMENTED:
        return errors.ProtocolError
    return errors.PolarwayError
