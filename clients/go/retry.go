package polarway

import (
	"math/rand/v2"
	"time"

	"google.golang.org/grpc/codes"

	pb "github.com/polarway/polarway/clients/go/internal/polarwayv1"
)

// When to try again: exponential backoff with full jitter, inside a deadline. "Full jitter" draws each wait evenly between
// zero and a bound that doubles; see Marc Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog, 2015.

const (
	// The bound of the first wait, which doubles with each.
	firstWait   = 50 * time.Millisecond
	longestWait = 2 * time.Second

	// How often a call may break after the server began to work on it. One that breaks each time would break again.
	mostBreaks = 10
	// The same for a query: one that makes its worker fail must not make all of them fail.
	mostBreaksOfQuery = 2
)

// tries are the tries of one call.
type tries struct {
	timeout time.Duration
	// When the call began, or last made progress.
	began    time.Time
	deadline time.Time
	failed   int
	// Whether the server began to work on this try.
	isGoing    bool
	mostBreaks int
	breaksLeft int
	// Whether breaks are counted from the beginning. Otherwise they are once the call's timeout has passed since it began:
	// before that they may be quick and many, as a balancer that has just lost its workers answers each try with an error.
	countsEarlyBreaks bool
	// What a busy server said to the last try, if this one has not got going.
	busy *Error
}

func newTries(timeout time.Duration, kind callKind) tries {
	now := time.Now()
	made := tries{timeout: timeout, began: now, deadline: now.Add(timeout), mostBreaks: mostBreaks}
	if kind == callQuery {
		made.mostBreaks, made.countsEarlyBreaks = mostBreaksOfQuery, true
	}
	made.breaksLeft = made.mostBreaks
	return made
}

// left tells how much time is left.
func (t *tries) left() time.Duration {
	return max(0, time.Until(t.deadline))
}

// going records that the server works on the call: the timeout starts again.
func (t *tries) going() {
	t.deadline = time.Now().Add(t.timeout)
	t.isGoing = true
	t.busy = nil
}

// progress records that the call made progress that a retry keeps.
func (t *tries) progress() {
	t.going()
	t.began = time.Now()
	t.failed = 0
	t.breaksLeft = t.mostBreaks
}

// wait returns how long to wait before the next try, and false if a retry can't help or there is no time for one.
func (t *tries) wait(failed *Error) (time.Duration, bool) {
	if !failed.Retryable || failed.isFinal {
		return 0, false
	}
	wasGoing := t.isGoing
	t.isGoing = false
	t.busy = nil
	if pb.Reasons[failed.Reason].Busy {
		t.busy = failed
		// A busy server has broken nothing: this is bounded by time only.
		t.deadline = t.began.Add(t.timeout)
	} else if wasGoing && (t.countsEarlyBreaks || time.Since(t.began) >= t.timeout) {
		if t.breaksLeft == 0 {
			return 0, false
		}
		t.breaksLeft--
	}
	bound := min(firstWait<<min(t.failed, 10), longestWait)
	wait := max(rand.N(bound), failed.retryDelay)
	if wait >= t.left() {
		return 0, false
	}
	t.failed++
	return wait, true
}

// told is what the user is told of a call whose last try failed. If the time ended during that try, it is what a busy server
// said to the one before: it tells more.
func (t *tries) told(failed *Error) *Error {
	// An error with a cause is that of the caller's own context, which the caller set, and is told of.
	isLate := failed.Code == codes.DeadlineExceeded && failed.Reason == "" && failed.cause == nil
	if isLate && t.busy != nil {
		return t.busy
	}
	return failed
}

// count tells how many tries there have been since the call last made progress.
func (t *tries) count() int { return t.failed + 1 }
