"""Why a call failed: read from its status, or from a part of its answer, and turned into an exception."""

from __future__ import annotations

import dataclasses
from typing import Final

from polarway import errors
from polarway._generated import messages
from polarway._generated.reasons import REASONS
from polarway._wire import Bytes, decode

# A reason of another domain, perhaps from a proxy, is not of this protocol.
_DOMAIN: Final = "polarway"

_UNIMPLEMENTED: Final = 12
_DEADLINE_EXCEEDED: Final = 4
# What a connection that broke is told as: CANCELLED, UNKNOWN, ABORTED, INTERNAL, UNAVAILABLE.
_BROKEN: Final = frozenset((1, 2, 10, 13, 14))

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
    errors.QueryError: ("INVALID_QUERY", "QUERY_FAILED", "QUERY_TOO_LARGE", "READER_TOO_SLOW"),
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
        if self.reason is None:
            return self.code in _BROKEN
        rule = REASONS.get(self.reason)
        return rule is not None and rule.retry

    def exception(self, request_id: str | None) -> errors.PolarwayError:
        """The exception for users."""
        if self.reason is not None:
            kind = CLASS_OF_REASON.get(self.reason, errors.PolarwayError)
            return kind(self.message, reason=self.reason, request_id=request_id)
        if self.code in _BROKEN:
            return errors.Unavailable(f"the connection to the server broke: {self.message}", request_id=request_id)
        if self.code == _DEADLINE_EXCEEDED:
            return errors.TimedOut("the server did not answer within the timeout", request_id=request_id)
        if self.code == _UNIMPLEMENTED:
            message = "what answers there is no Polarway server, or one of another protocol"
            return errors.ProtocolError(message, request_id=request_id)
        return errors.PolarwayError(f"gRPC code {self.code}: {self.message}", request_id=request_id)
