"""The traces of programs, which servers continue."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import polarway
import server
from polarway import AsyncDistributedClient, DistributedClient, _trace

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
PARENT = f"00-{TRACE}-{SPAN}-01"
OTHER = f"00-{TRACE[::-1]}-{SPAN[::-1]}-00"


@contextlib.contextmanager
def collector() -> Iterator[tuple[str, list[bytes]]]:
    """What a server sends its spans to, by OpenTelemetry's protocol: its URL, and what has come."""
    received: list[bytes] = []

    def take(request: bytes) -> bytes:
        received.append(request)
        return b""

    with server.answering("opentelemetry.proto.collector.trace.v1.TraceService", {"Export": take}) as address:
        yield f"http://{address}", received


def spans_below(received: list[bytes], trace: str, span: str) -> int:
    """How many spans have this one as their parent."""
    # Fields 1 and 4 of a span: the ids of its trace and of its parent, which are between two others of fixed length.
    begin = b"\x0a\x10" + bytes.fromhex(trace)
    parent = b"\x22\x08" + bytes.fromhex(span)
    spans = b"".join(received).split(begin)[1:]
    return sum(parent in one.partition(b"\x2a")[0] for one in spans)


def test_a_trace_that_is_named_is_that_of_the_calls_in_its_block(tmp_path: Path) -> None:
    async def awaited(address: str) -> None:
        async with AsyncDistributedClient(address) as client:
            with polarway.trace_context(PARENT, "vendor=7"):
                await asyncio.gather(client.query("SELECT 42"), client.query_stream("SELECT 43").read_all())
            await client.query("SELECT 44")

    with collector() as (url, received):
        with server.running(tmp_path, "--otlp-endpoint", url) as address:
            with DistributedClient(address) as client:
                client.server_info()
                with polarway.trace_context(PARENT):
                    client.query("SELECT 42")
                    client.datasets()
                client.datasets()
            asyncio.run(awaited(address))
        # Also the client's question for the protocol's revision, which comes with its first call.
        assert spans_below(received, TRACE, SPAN) >= 4
        assert b"ListDatasets" in b"".join(received)


def test_the_current_span_of_opentelemetry_is_passed_on_unless_another_is_named() -> None:
    trace: Any = pytest.importorskip("opentelemetry.trace", reason="opentelemetry-api is not installed")
    state = trace.TraceState([("vendor", "7")])
    context = trace.SpanContext(int(TRACE, 16), int(SPAN, 16), False, trace.TraceFlags(1), state)
    assert _trace.headers() == ()
    with trace.use_span(trace.NonRecordingSpan(context)):
        assert _trace.headers() == (("traceparent", PARENT), ("tracestate", "vendor=7"))
        with polarway.trace_context(OTHER):
            assert _trace.headers() == (("traceparent", OTHER),)
    with trace.use_span(trace.INVALID_SPAN):
        assert _trace.headers() == ()


@pytest.mark.parametrize(
    ("traceparent", "tracestate", "says"),
    [
        ("", "", "no traceparent"),
        (PARENT[:-1], "", "no traceparent"),
        (PARENT.upper(), "", "no traceparent"),
        (f"00-{'0' * 32}-{SPAN}-01", "", "no traceparent"),
        (f"00-{TRACE}-{'0' * 16}-01", "", "no traceparent"),
        (f"ff-{TRACE}-{SPAN}-01", "", "no traceparent"),
        (PARENT + "\n", "", "no traceparent"),
        (None, "", "no traceparent"),
        (PARENT, "two\nlines", "no tracestate"),
        (PARENT, "\N{SNOWMAN}", "no tracestate"),
        (PARENT, None, "no tracestate"),
    ],
)
def test_a_trace_that_no_header_can_hold_is_refused(traceparent: str, tracestate: str, says: str) -> None:
    with pytest.raises(polarway.InvalidInput, match=says), polarway.trace_context(traceparent, tracestate):
        pass
