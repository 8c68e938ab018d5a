"""Passes the program's trace to the server: W3C Trace Context."""

from __future__ import annotations

import contextlib
import re
import sys
from collections.abc import Iterator
from contextvars import ContextVar
from typing import Final

from polarway._transport import Headers
from polarway.errors import InvalidInput

# What the caller named for the calls that it makes now.
_NAMED: Final[ContextVar[Headers | None]] = ContextVar("polarway_trace", default=None)

_PARENT: Final = re.compile(r"(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")
_STATE: Final = re.compile(r"[ -~]{0,512}")


@contextlib.contextmanager
def trace_context(traceparent: str, tracestate: str = "") -> Iterator[None]:
    """Makes the calls in a `with` block a part of a trace, whose id the server's spans and log lines then have.

        with polarway.trace_context(request.headers["traceparent"]):
            client.load("flights")

    It holds for this thread, or for this task of asyncio and those that it starts. A program in a span of OpenTelemetry
    does not need it: that span's trace is passed on. A lazy frame of `scan` may ask for its rows in other threads; such
    calls are in no trace.

    Args:
        traceparent: The trace and the span that make the calls, as the header of that name in W3C Trace Context has
            them: `00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01`.
        tracestate: The header of that name.

    Raises:
        InvalidInput: A text is not what the header may have.
    """
    if not isinstance(traceparent, str) or not _PARENT.fullmatch(traceparent):
        raise InvalidInput(f"{traceparent!r} is no traceparent: give one such as {_EXAMPLE}")
    if not isinstance(tracestate, str) or not _STATE.fullmatch(tracestate):
        raise InvalidInput(f"{tracestate!r} is no tracestate: give at most 512 printable characters of ASCII")
    token = _NAMED.set(_headers(traceparent, tracestate))
    try:
        yield
    finally:
        _NAMED.reset(token)


_EXAMPLE: Final = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def headers() -> Headers:
    """The headers of a call that is made now."""
    named = _NAMED.get()
    return _of_opentelemetry() if named is None else named


def _of_opentelemetry() -> Headers:
    # A program that is in a span has imported it.
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return ()
    span = trace.get_current_span().get_span_context()
    if not span.is_valid:
        return ()
    parent = f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}"
    return _headers(parent, span.trace_state.to_header())


def _headers(parent: str, state: str) -> Headers:
    return (("traceparent", parent), *([("tracestate", state)] if state else []))
