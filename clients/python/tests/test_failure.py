"""What a failed call becomes."""

from __future__ import annotations

import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

import polarway
from polarway import errors
from polarway._failure import CLASS_OF_REASON, Failure
from polarway._generated import messages
from polarway._generated.reasons import REASONS
from polarway._wire import encode


def details(reason: str, domain: str = "polarway", delay: messages.Duration | None = None) -> bytes:
    info = messages.ErrorInfo(reason=reason, domain=domain, metadata={"name": "flights"})
    parts: list[messages.ErrorInfo | messages.RetryInfo] = [info]
    if delay is not None:
        parts.append(messages.RetryInfo(retry_delay=delay))
    packed = [messages.Any(type_url=f"type.googleapis.com/{part.FULL_NAME}", value=encode(part)) for part in parts]
    return encode(messages.Status(code=5, message="there is none", details=packed))


def test_every_reason_has_a_class_of_its_kind() -> None:
    assert CLASS_OF_REASON.keys() == REASONS.keys()


def test_every_exception_is_public_and_under_the_base_class() -> None:
    exceptions = {
        name for name, value in vars(errors).items() if isinstance(value, type) and issubclass(value, Exception)
    }
    assert exceptions <= set(polarway.__all__)
    assert all(issubclass(getattr(polarway, name), polarway.PolarwayError) for name in exceptions)


@pytest.mark.parametrize("reason", REASONS)
def test_every_reason_arrives_as_itself_and_is_made_again_by_its_rule(reason: str) -> None:
    failure = Failure.of_status(REASONS[reason].code, "so it is", details(reason))
    assert failure.is_transient == REASONS[reason].retry
    exception = failure.exception("an-id/0")
    assert type(exception) is CLASS_OF_REASON[reason]
    assert (str(exception), exception.reason, exception.request_id) == ("so it is", reason, "an-id/0")


def test_the_failure_of_a_part_says_what_that_of_a_call_does() -> None:
    delay = messages.Duration(seconds=1, nanos=500_000_000)
    part = messages.Failure(code=8, message="busy", reason="RESOURCE_EXHAUSTED", retry_delay_ms=1500)
    assert Failure.of_part(part) == Failure.of_status(8, "busy", details("RESOURCE_EXHAUSTED", delay=delay))


def test_a_reason_of_a_later_version_is_no_reason_to_retry() -> None:
    failure = Failure.of_status(14, "wait a fortnight", details("MOON_IS_FULL"))
    assert not failure.is_transient
    exception = failure.exception(None)
    assert (type(exception), exception.reason) == (polarway.PolarwayError, "MOON_IS_FULL")


def test_a_reason_of_another_domain_is_not_ours() -> None:
    assert Failure.of_status(5, "no", details("UNKNOWN_DATASET", domain="proxy.example")).reason is None


@pytest.mark.parametrize(
    ("code", "kind", "is_transient"),
    [
        (14, polarway.Unavailable, True),
        (13, polarway.Unavailable, True),
        (4, polarway.TimedOut, False),
        (12, polarway.ProtocolError, False),
        (7, polarway.PolarwayError, False),
    ],
)
def test_a_status_without_a_reason_is_of_the_connection_or_of_another_server(
    code: int, kind: type[polarway.PolarwayError], is_transient: bool
) -> None:
    failure = Failure.of_status(code, "it is so", None)
    assert failure.is_transient is is_transient
    exception = failure.exception("an-id/0")
    assert type(exception) is kind
    assert (exception.reason, exception.request_id) == (None, "an-id/0")


@given(noise=st.binary(max_size=100))
def test_details_that_cannot_be_read_leave_the_code_and_the_message(noise: bytes) -> None:
    failure = Failure.of_status(5, "there is none", noise)
    assert (failure.code, failure.message) == (5, "there is none")


def test_a_negative_delay_is_none() -> None:
    failure = Failure.of_status(8, "busy", details("RESOURCE_EXHAUSTED", delay=messages.Duration(seconds=-3)))
    assert failure.retry_delay_s == 0.0


def test_an_exception_is_pickled_with_all_that_it_says() -> None:
    exception = Failure(5, "there is none", "UNKNOWN_DATASET").exception("an-id/0")
    copy = pickle.loads(pickle.dumps(exception))
    assert type(copy) is polarway.DatasetNotFound
    assert (str(copy), copy.reason, copy.request_id) == ("there is none", "UNKNOWN_DATASET", "an-id/0")
