"""gRPC's channels to the workers: their options, and what their errors mean."""

from __future__ import annotations

import re
from typing import Any, Final

import grpc

from polarway._address import Address
from polarway._failure import BROKEN, DEADLINE_EXCEEDED, UNAVAILABLE, UNIMPLEMENTED, Failure, Origin
from polarway._wire import Bytes

CONNECT_S: Final = 5.0
"""The longest time to connect."""

_KEEPALIVE_MS: Final = 5_000

OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    # A chunk of a wide table may be large; the server limits its size.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # Beyond 8 KiB, grpcio drops the metadata of some calls at random, and with it why a call failed.
    ("grpc.max_metadata_size", 64 << 10),
    ("grpc.absolute_max_metadata_size", 64 << 10),
    # A connection in use that is silent gets a ping.
    ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", _KEEPALIVE_MS),
    # By default a ping that measures the connection takes the place of that one, and is waited for a minute.
    ("grpc.http2.ping_timeout_ms", _KEEPALIVE_MS),
    ("grpc.http2.max_pings_without_data", 0),
    # It is also the longest time to connect.
    ("grpc.min_reconnect_backoff_ms", int(CONNECT_S * 1000)),
    # The client has its own waits between tries. By default, gRPC would refuse calls for up to two minutes after a
    # server was away.
    ("grpc.initial_reconnect_backoff_ms", 50),
    ("grpc.max_reconnect_backoff_ms", 1_000),
    ("grpc.enable_retries", 0),
    # A client has connections of its own.
    ("grpc.use_local_subchannel_pool", 1),
    # The address is the server's, whatever proxy the environment names for the web.
    ("grpc.enable_http_proxy", 0),
    ("grpc.http2.max_frame_size", 1 << 20),
)

BLOCKING_OPTIONS: Final[tuple[tuple[str, int], ...]] = (
    *OPTIONS,
    # Messages of a stream are received on the thread that waits for them. It is on if it is there, whatever its value.
    ("SingleThreadedUnaryStream", 1),
)


def open_blocking(address: Address, credentials: grpc.ChannelCredentials | None) -> Any:
    """A channel for threads. It connects with its first call."""
    if not address.is_secure:
        return grpc.insecure_channel(str(address), BLOCKING_OPTIONS)
    return grpc.secure_channel(str(address), credentials or grpc.ssl_channel_credentials(), BLOCKING_OPTIONS)


def open_async(address: Address, credentials: grpc.ChannelCredentials | None) -> Any:
    """A channel for the event loop that runs. It connects with its first call."""
    import grpc.aio  # noqa: PLC0415 - who uses no event loop does not pay for it.

    if not address.is_secure:
        return grpc.aio.insecure_channel(str(address), OPTIONS)
    return grpc.aio.secure_channel(str(address), credentials or grpc.ssl_channel_credentials(), OPTIONS)


def failure_of(error: Any, address: Address, time_s: float | None = None) -> Failure:
    """What an error of a call to this address says, which had this time limit if it was a query."""
    # By iteration: the metadata of older versions of grpcio for asyncio looks like a mapping, and is none.
    trailers = dict(iter(error.trailing_metadata() or ()))
    details = trailers.get("grpc-status-details-bin")
    return failure_of_status(error.code().value[0], error.details() or "", details, address, time_s)


def failure_of_status(
    code: int, text: str, details: Bytes | None, address: Address, time_s: float | None = None
) -> Failure:
    """What the status of a call to this address says, which had this time limit if it was a query."""
    failure = Failure.of_status(code, text, details)
    if failure.reason is not None:
        return failure
    if code == DEADLINE_EXCEEDED and time_s is not None:
        # The client's own clock may tell sooner than the server.
        return Failure(code, f"the query took longer than its time limit of {time_s:g} s", "DEADLINE_EXCEEDED")
    return _unexplained(code, text, address)


def hung_up(address: Address, cause: object) -> Failure:
    """The connection to this address broke in the middle of a call."""
    return Failure(UNAVAILABLE, f"{address} hung up: {cause}", origin=Origin.CONNECTION)


# What gRPC says before the innermost cause: "failed to connect to all addresses" does not help, "Connection refused"
# does.
_BEFORE_CAUSE: Final = re.compile(
    r".*last error: (?:[A-Z_]+: )?(?:ipv[46]:\S+: )?(?:Failed to connect to remote host: )?"
)
# What gRPC says of a name that has no address, before the cause: "Domain name not found".
_NO_ADDRESS: Final = ("errors resolving", "DNS resolution failed")
_HTTP_STATUS: Final = re.compile(r"(?:http2 header with status: |HTTP status code )(\d+)")

# What gRPC says when TLS failed, and what that means.
_TLS: Final = (
    ("WRONG_VERSION_NUMBER", "the server does not speak TLS: use http://, and no credentials"),
    ("speaks TLS", "the server speaks TLS: use https:// or credentials"),
    (
        "unable to get local issuer certificate",
        "this client does not trust the CA of the server's certificate. If it is your own, give it as `credentials`",
    ),
    ("CERTIFICATE_VERIFY_FAILED", "this client refuses the server's certificate"),
    ("Unwrap failed", "the server refuses this client's certificate, or requires one"),
    ("ls handshake failed", "the handshake failed"),
    ("Hostname Verification Check failed", "the server's certificate is for another name"),
    ("Peer name", "the server's certificate is for another name"),
)


def _unexplained(code: int, text: str, address: Address) -> Failure:
    """A status that no server of ours made: the connection, gRPC or a proxy did."""
    if code == DEADLINE_EXCEEDED:
        return Failure(code, f"{address} did not answer within the timeout")
    if code == UNIMPLEMENTED:
        return Failure(code, f"what answers at {address} is no Polarway server, or one of another protocol")
    if code not in BROKEN:
        return Failure(code, f"{address} answered with gRPC code {code}: {text}")
    for mark, meaning in _TLS:
        if mark in text:
            message = f"the connection to {address} can't be made secure: {meaning} ({_cause(text)})"
            return Failure(code, message, origin=Origin.TLS)
    if match := _HTTP_STATUS.search(text):
        return Failure(code, f"a proxy before the server at {address} answered {match[1]}")
    did = "can't be reached" if text.startswith(("failed to connect", *_NO_ADDRESS)) else "hung up"
    return Failure(code, f"{address} {did}: {_cause(text)}", origin=Origin.CONNECTION)


def _cause(text: str) -> str:
    if text.startswith(_NO_ADDRESS):
        return text.rpartition(": ")[2].rstrip("]")
    return _BEFORE_CAUSE.sub("", text)
