//go:build failpoints

package pipeline

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// This file is in no release: it is for processes that tests run.
//
//	BANKIMPORT_TEST_FAILPOINT=STEP:N       SIGKILL when the step is passed the Nth time
//	BANKIMPORT_TEST_FAILPOINT=STEP:N:stop  SIGSTOP instead; whoever waits for it sends SIGCONT
//	BANKIMPORT_TEST_WEAKEN=PROTECTION,…    switches protections off

// steps are the boundaries, in the order of a process's life: it is assigned
// partitions, restores, commits, and has partitions revoked.
var steps = []string{
	"assign", "restore", "restoring", "restored",
	"commit", "picked", "begun", "produced", "offsets-added", "flushed", "ending", "ended", "committed", "offsets-only", "recovering", "recovered",
	"revoke", "drained",
}

// protections are what can be weakened.
var protections = []string{"map", "unknown", "generation", "restore"}

type failpoint struct {
	step   string
	left   atomic.Int64
	signal syscall.Signal
}

var theFailpoint = sync.OnceValue(func() *failpoint {
	const variable = "BANKIMPORT_TEST_FAILPOINT"
	text := os.Getenv(variable)
	if text == "" {
		return nil
	}
	f := &failpoint{signal: syscall.SIGKILL}
	parts := strings.Split(text, ":")
	if len(parts) == 3 && parts[2] == "stop" {
		f.signal, parts = syscall.SIGSTOP, parts[:2]
	}
	n := 0
	if len(parts) == 2 {
		n, _ = strconv.Atoi(parts[1])
	}
	if n < 1 || !slices.Contains(steps, parts[0]) {
		panic(fmt.Sprintf("%s=%q: want STEP:N or STEP:N:stop, with a step of %v", variable, text, steps))
	}
	f.step = parts[0]
	f.left.Store(int64(n))
	return f
})

func step(name string) {
	if !slices.Contains(steps, name) {
		panic("no such step: " + name)
	}
	f := theFailpoint()
	if f == nil || f.step != name || f.left.Add(-1) != 0 {
		return
	}
	fmt.Fprintf(os.Stderr, "{\"msg\":\"failpoint\",\"step\":%q,\"signal\":%q}\n", name, f.signal)
	if err := syscall.Kill(os.Getpid(), f.signal); err != nil {
		panic(err)
	}
	time.Sleep(50 * time.Millisecond) // the signal stops all threads, this one perhaps not first
}

var weak = sync.OnceValue(func() []string {
	const variable = "BANKIMPORT_TEST_WEAKEN"
	text := os.Getenv(variable)
	if text == "" {
		return nil
	}
	names := strings.Split(text, ",")
	for _, n := range names {
		if !slices.Contains(protections, n) {
			panic(fmt.Sprintf("%s=%q: want some of %v", variable, text, protections))
		}
	}
	return names
})

func weakened(protection string) bool {
	if !slices.Contains(protections, protection) {
		panic("no such protection: " + protection)
	}
	return slices.Contains(weak(), protection)
}
