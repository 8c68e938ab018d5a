"""When a call is made again."""

from __future__ import annotations

import random

import pytest

from polarway._failure import Failure
from polarway._retry import Breaks, Tries

BROKEN = Failure(14, "reset")
BUSY = Failure(8, "others run", "RESOURCE_EXHAUSTED")


class Clock:
    """A clock that moves when a call waits."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def waits(tries: Tries, clock: Clock, failure: Failure, *, is_going: bool = False) -> list[float]:
    """All waits until the call is given up."""
    taken: list[float] = []
    while True:
        if is_going:
            tries.going()
        wait = tries.wait_s(failure)
        if wait is None:
            return taken
        clock.now_s += wait
        taken.append(wait)


def test_each_wait_is_drawn_below_a_bound_that_doubles_up_to_two_seconds() -> None:
    clock = Clock()
    taken = waits(Tries(20, clock=clock, jitter=lambda: 1.0), clock, BROKEN)
    assert taken == [0.05, 0.1, 0.2, 0.4, 0.8, 1.6] + [2.0] * 8


@pytest.mark.parametrize("failure", [BROKEN, BUSY])
def test_tries_end_with_the_deadline_and_not_before(failure: Failure) -> None:
    clock = Clock()
    taken = waits(Tries(10, clock=clock, jitter=random.Random(5).random), clock, failure)
    assert len(taken) > 5
    assert 8 <= sum(taken) < 10


def test_a_try_that_the_time_cuts_off_hides_no_busy_server() -> None:
    late = Failure(4, "the server did not answer within 10 s")
    tries = Tries(10, clock=Clock(), jitter=lambda: 0.5)
    tries.wait_s(BUSY)
    assert tries.wait_s(late) is None
    assert tries.told(late) == BUSY
    # What the server said itself is newer, and so is that it began to work.
    stopped = Failure(4, "the query took too long", "DEADLINE_EXCEEDED")
    assert tries.told(stopped) == stopped
    tries.going()
    assert tries.told(late) == late
    tries.wait_s(BUSY)
    tries.wait_s(BROKEN)
    assert tries.told(late) == late


def test_to_be_turned_away_after_waiting_is_bounded_by_time_alone() -> None:
    clock = Clock()
    taken = waits(Tries(60, clock=clock, jitter=lambda: 0.5), clock, BUSY, is_going=True)
    assert len(taken) > 20
    assert sum(taken) < 60


def test_a_call_that_breaks_each_time_it_got_going_is_not_made_for_ever() -> None:
    clock = Clock()
    tries = Tries(10, Breaks(2, count_from_start=True), clock=clock, jitter=lambda: 0.5)
    assert len(waits(tries, clock, BROKEN, is_going=True)) == 2


def test_breaks_are_counted_once_the_timeout_has_passed() -> None:
    clock = Clock()
    taken = waits(Tries(30, clock=clock, jitter=lambda: 0.5), clock, BROKEN, is_going=True)
    assert len(taken) > 20
    assert 30 <= sum(taken) <= 30 + 2 * 11


def test_a_call_that_makes_progress_may_break_any_number_of_times() -> None:
    clock = Clock()
    tries = Tries(10, clock=clock, jitter=lambda: 1.0)
    for _ in range(100):
        clock.now_s += 9
        tries.progress()
        assert tries.left_s() == 10
        assert tries.wait_s(BROKEN) == 0.05


def test_what_does_not_pass_is_not_tried_again() -> None:
    assert Tries(10).wait_s(Failure(5, "there is none", "UNKNOWN_DATASET")) is None


def test_the_server_says_how_long_to_wait_at_least() -> None:
    assert Tries(10).wait_s(Failure(8, "busy", "RESOURCE_EXHAUSTED", retry_delay_s=3.0)) == 3.0
    assert Tries(10).wait_s(Failure(8, "busy", "RESOURCE_EXHAUSTED", retry_delay_s=30.0)) is None


def test_calls_leave_the_random_numbers_of_the_user_alone() -> None:
    before = random.getstate()
    assert Tries(30).wait_s(BROKEN) is not None
    assert random.getstate() == before
