package polarway

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/grpc/codes"
)

func TestTriesEndWithTheDeadlineAndNotBefore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		tries := newTries(10*time.Second, callIdempotent)
		for {
			wait, isWorthIt := tries.wait(unreachable("reset"))
			if !isWorthIt {
				break
			}
			time.Sleep(wait)
		}
		if tries.count() < 5 || time.Since(began) > 10*time.Second {
			t.Errorf("%d tries in %v", tries.count(), time.Since(began))
		}
	})
}

func TestWhatDoesNotPassIsNotTriedAgain(t *testing.T) {
	tries := newTries(10*time.Second, callIdempotent)
	if _, isWorthIt := tries.wait(ofReason(0, "UNKNOWN_DATASET", "there is none", 0)); isWorthIt {
		t.Error("it would be the same the next time")
	}
	if _, isWorthIt := tries.wait(ofReason(14, "MOON_IS_FULL", "a reason of a later version", 0)); isWorthIt {
		t.Error("nobody knows whether it passes")
	}
}

func TestATryThatTheTimeCutsOffHidesNoBusyServer(t *testing.T) {
	tries := newTries(10*time.Second, callIdempotent)
	busy := ofReason(8, "RESOURCE_EXHAUSTED", "others run", 0)
	late := ofCode(codes.DeadlineExceeded, "the server did not answer within 10s", originPeer)
	told := func(what string, failed, expected *Error) {
		t.Helper()
		if told := tries.told(failed); told != expected {
			t.Errorf("%s: %v", what, told)
		}
	}
	tries.wait(busy)
	tries.wait(late)
	told("the time is over", late, busy)
	stopped := ofReason(codes.DeadlineExceeded, "DEADLINE_EXCEEDED", "the query took too long", 0)
	told("the server stopped it", stopped, stopped)
	over, cancel := context.WithDeadline(t.Context(), time.Now())
	defer cancel()
	mine := ended(over)
	told("the context has ended", mine, mine)
	tries.going()
	told("the server began to work", late, late)
	tries.wait(busy)
	tries.wait(unreachable("reset"))
	told("the connection broke since then", late, late)
}

func TestTheServerSaysHowLongToWaitAtLeast(t *testing.T) {
	tries := newTries(10*time.Second, callIdempotent)
	if wait, isWorthIt := tries.wait(ofReason(8, "RESOURCE_EXHAUSTED", "busy", 3*time.Second)); !isWorthIt || wait < 3*time.Second {
		t.Error(wait, isWorthIt)
	}
	if _, isWorthIt := tries.wait(ofReason(8, "RESOURCE_EXHAUSTED", "busy", time.Minute)); isWorthIt {
		t.Error("there is no time for it")
	}
}

func TestAQueryThatBreaksEachTimeItRunsIsNotRunForEver(t *testing.T) {
	tries := newTries(time.Hour, callQuery)
	for range mostBreaksOfQuery {
		tries.going()
		if _, isWorthIt := tries.wait(unreachable("reset")); !isWorthIt {
			t.Fatal("it is run again a few times")
		}
	}
	tries.going()
	if _, isWorthIt := tries.wait(unreachable("reset")); isWorthIt {
		t.Error("it is run for ever")
	}
}

func TestBreaksOfOtherCallsAreCountedOnceTheTimeoutHasPassed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		tries := newTries(30*time.Second, callIdempotent)
		breaks := 0
		for {
			tries.going()
			wait, isWorthIt := tries.wait(unreachable("a proxy answered 502"))
			if !isWorthIt {
				break
			}
			breaks++
			time.Sleep(wait)
		}
		took := time.Since(began)
		if breaks <= mostBreaks || took < 30*time.Second || took > 30*time.Second+(mostBreaks+1)*longestWait {
			t.Errorf("%d breaks in %v", breaks, took)
		}
	})
}

func TestProgressGivesTheWholeTimeoutAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tries := newTries(time.Second, callQuery)
		for range 100 {
			time.Sleep(900 * time.Millisecond)
			tries.progress()
			if _, isWorthIt := tries.wait(unreachable("reset")); !isWorthIt || tries.left() != time.Second {
				t.Fatal(tries.left())
			}
		}
	})
}

func TestABusyServerIsAskedUntilTheTimeIsOver(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		tries := newTries(time.Minute, callQuery)
		count := 0
		for {
			tries.going()
			wait, isWorthIt := tries.wait(ofReason(8, "RESOURCE_EXHAUSTED", "others run", 0))
			if !isWorthIt {
				break
			}
			count++
			time.Sleep(wait)
		}
		if count <= 10 || time.Since(began) > time.Minute {
			t.Errorf("%d tries in %v", count, time.Since(began))
		}
	})
}
