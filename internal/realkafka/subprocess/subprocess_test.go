package subprocess_test

import (
	"bytes"
	"errors"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
)

func TestStart_WaitGivesTheExit(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	cmd := exec.CommandContext(t.Context(), "sh", "-c", "echo said; exit 3")
	cmd.Stdout = &out
	p, err := subprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	exit, ok := errors.AsType[*exec.ExitError](p.Wait())
	if !ok || exit.ExitCode() != 3 {
		t.Errorf("got exit %v, want status 3", exit)
	}
	if got := out.String(); got != "said\n" {
		t.Errorf("got output %q, want %q", got, "said\n")
	}
	if err := p.Signal(syscall.SIGTERM); err != nil {
		t.Errorf("signal after the end: %v", err)
	}
}

func TestStart_NoSuchProgram(t *testing.T) {
	t.Parallel()
	if _, err := subprocess.Start(exec.CommandContext(t.Context(), "/no/such/program")); err == nil {
		t.Error("got no error, want one")
	}
}

func TestKill(t *testing.T) {
	t.Parallel()
	p := sleeper(t, "")
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err == nil || !strings.Contains(err.Error(), "killed") {
		t.Errorf("got exit %v, want killed", err)
	}
}

func TestStop_KillsWhatDoesNotStop(t *testing.T) {
	t.Parallel()
	p := sleeper(t, "trap '' TERM; ")
	err := p.Stop(50 * time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "did not stop") {
		t.Errorf("got error %v, want one that says it did not stop", err)
	}
	select {
	case <-p.Done():
	default:
		t.Error("it still runs")
	}
}

// sleeper runs a shell that has done what first says and then waits for its
// input, which never comes.
func sleeper(t *testing.T, first string) *subprocess.Process {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "sh", "-c", first+"echo; read line")
	ready := make(writes, 1)
	cmd.Stdout = ready
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	p, err := subprocess.Start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	<-ready
	return p
}

// writes tells of every write to it.
type writes chan struct{}

func (w writes) Write(b []byte) (int, error) {
	w <- struct{}{}
	return len(b), nil
}
