package polarwaytest

import (
	"os"
	"regexp"
	"runtime"
	"strings"
	"testing"
	"time"
)

// NoLeaks checks at the end of the test that no goroutine and no socket is left of it. It is called first, so that everything
// else ends before.
func NoLeaks(t testing.TB) {
	t.Helper()
	known := map[string]bool{}
	for _, one := range goroutines() {
		known[idOf(one)] = true
	}
	before := sockets()
	t.Cleanup(func() {
		if t.Failed() || t.Skipped() {
			return
		}
		var left []string
		for deadline := time.Now().Add(Patience / 4); ; time.Sleep(5 * time.Millisecond) {
			left = nil
			for _, one := range goroutines() {
				if !known[idOf(one)] && !isOfRuntime(one) {
					left = append(left, one)
				}
			}
			if len(left) == 0 && sockets() <= before {
				return
			}
			if time.Now().After(deadline) {
				break
			}
		}
		t.Errorf("%d goroutines and %d sockets are left:\n%s", len(left), sockets()-before, strings.Join(left, "\n\n"))
	})
}

func goroutines() []string {
	buffer := make([]byte, 8<<20)
	return strings.Split(string(buffer[:runtime.Stack(buffer, true)]), "\n\n")
}

var firstLine = regexp.MustCompile(`^goroutine (\d+)`)

func idOf(stack string) string {
	if found := firstLine.FindStringSubmatch(stack); found != nil {
		return found[1]
	}
	return stack
}

func isOfRuntime(stack string) bool {
	for _, mark := range []string{"testing.(*T).Run", "testing.tRunner(", "runtime.ensureSigM", "os/signal.loop", "runtime.ReadTrace"} {
		if strings.Contains(stack, mark) {
			return true
		}
	}
	return false
}

// sockets counts this process's, where the system tells.
func sockets() int {
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	count := 0
	for _, entry := range entries {
		if target, err := os.Readlink("/proc/self/fd/" + entry.Name()); err == nil && strings.HasPrefix(target, "socket:") {
			count++
		}
	}
	return count
}
