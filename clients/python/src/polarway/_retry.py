"""When to try again: exponential backoff with full jitter, inside a deadline.

"Full jitter" draws each wait evenly between zero and a bound that doubles; see Marc Brooker, "Exponential Backoff And
Jitter", AWS Architecture Blog, 2015. Nothing here waits: whoever makes the calls does, in a thread or in an event loop.
"""

from __future__ import annotations

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from polarway._failure import DEADLINE_EXCEEDED

if TYPE_CHECKING:
    from polarway._failure import Failure

# The state of the module `random` is the user's, who may have seeded it.
_JITTER: Final = random.SystemRandom()

# The bound of the first wait, which doubles with each.
_FIRST_S: Final = 0.05
_LONGEST_S: Final = 2.0


@dataclasses.dataclass(frozen=True, slots=True)
class Breaks:
    """How often a call may break after the server began to work on it. One that breaks each time would break again."""

    most: int = 10
    # Whether they are counted from the beginning. Otherwise they are once the call's timeout has passed since it began:
    # before that they may be quick and many, as a balancer that has just lost its workers answers each try with an
    # error.
    count_from_start: bool = False


class Tries:
    """The tries of one call."""

    def __init__(
        self,
        timeout_s: float,
        breaks: Breaks = Breaks(),
        *,
        clock: Callable[[], float] = time.monotonic,
        jitter: Callable[[], float] = _JITTER.random,
    ) -> None:
        self.timeout_s = timeout_s
        self._clock = clock
        self._jitter = jitter
        # When the call began, or last made progress.
        self._began = clock()
        self._deadline = self._began + timeout_s
        self._failed = 0
        self._breaks = breaks
        self._breaks_left = breaks.most
        self._is_going = False
        # What a busy server said to the last try, if this one has not got going.
        self._busy: Failure | None = None

    def left_s(self) -> float:
        """How much time is left, in seconds."""
        return max(0.0, self._deadline - self._clock())

    def going(self) -> None:
        """The server works on the call: the timeout starts again."""
        self._deadline = self._clock() + self.timeout_s
        self._is_going = True
        self._busy = None

    def progress(self) -> None:
        """The call made progress that a retry keeps."""
        self.going()
        self._began = self._clock()
        self._failed = 0
        self._breaks_left = self._breaks.most

    def wait_s(self, failure: Failure) -> float | None:
        """The seconds to wait before the next try; `None` if a retry can't help or there is no time for one."""
        if not failure.is_transient:
            return None
        self._busy = None
        was_going, self._is_going = self._is_going, False
        if failure.is_of_busy_server:
            self._busy = failure
            # A busy server has broken nothing: this is bounded by time only.
            self._deadline = self._began + self.timeout_s
        elif was_going and (self._breaks.count_from_start or self._clock() - self._began >= self.timeout_s):
            if self._breaks_left == 0:
                return None
            self._breaks_left -= 1
        # The exponent is bounded, as a float can't hold any power.
        bound: float = min(_FIRST_S * 2 ** min(self._failed, 10), _LONGEST_S)
        wait: float = max(bound * self._jitter(), failure.retry_delay_s)
        if wait >= self.left_s():
            return None
        self._failed += 1
        return wait

    def told(self, failure: Failure) -> Failure:
        """What the user is told of a call whose last try failed.

        If the time ended during that try, it is what a busy server said to the one before: it tells more.
        """
        is_late = failure.code == DEADLINE_EXCEEDED and failure.reason is None
        return self._busy if self._busy is not None and is_late else failure

    @property
    def count(self) -> int:
        """How many tries there have been since the call last made progress."""
        return self._failed + 1
