package e2e_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
)

// build makes the binary as a release does, but for its version and the tags.
func build(t *testing.T, tags string) string {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "bankimport")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-trimpath", "-tags="+tags, "-o", binary, "github.com/bankimport/bankimport/cmd/bankimport")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build the binary: %v\n%s", err, out)
	}
	return binary
}

// member is one "bankimport run" that is killed and started again under one
// instance id.
type member struct {
	t      *testing.T
	name   string // of the stage, or "bridge"
	binary string
	env    []string
	admin  string // address of its health endpoint
	log    string // file that takes its output, of all its runs

	failpoint string // at which the newest run is to die; see pipeline/testhooks_on.go
	process   *subprocess.Process
	kills     int
}

// newMember prepares a process; settings are environment variables without
// their prefix.
func newMember(t *testing.T, binary, name string, settings map[string]string) *member {
	t.Helper()
	m := &member{t: t, name: name, binary: binary, admin: freeAddr(t)}
	m.log = filepath.Join(logDir(t), name+settings["INSTANCE_ID"]+".log")
	m.env = []string{
		"PATH=" + os.Getenv("PATH"),
		"BANKIMPORT_ADMIN_ADDR=" + m.admin,
		"BANKIMPORT_INSTANCE_ID=only",
		"BANKIMPORT_LOG_FORMAT=json",
	}
	for variable, value := range settings {
		m.env = append(m.env, "BANKIMPORT_"+variable+"="+value)
	}
	return m
}

// start runs it. It does not wait until it is ready.
func (m *member) start() {
	m.t.Helper()
	m.startWith("")
}

// startWith runs it with a fail point.
func (m *member) startWith(failpoint string) {
	m.t.Helper()
	m.failpoint = failpoint
	log, err := os.OpenFile(m.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.t.Fatal(err)
	}
	defer log.Close() // the process has its own copy
	cmd := exec.Command(m.binary, "run", m.name)
	cmd.Env, cmd.Stdout, cmd.Stderr = m.env, log, log
	if failpoint != "" {
		cmd.Env = append(slices.Clone(m.env), "BANKIMPORT_TEST_FAILPOINT="+failpoint)
	}
	if m.process, err = subprocess.Start(cmd); err != nil {
		m.t.Fatal(err)
	}
	process := m.process
	m.t.Cleanup(func() {
		if err := process.Kill(); err != nil {
			m.t.Error(err)
		}
	})
}

// kill ends it with SIGKILL. It reports false where its fail point was first.
func (m *member) kill() bool {
	m.t.Helper()
	if m.died() {
		return false
	}
	if err := m.process.Kill(); err != nil {
		m.t.Fatal(err)
	}
	m.kills++
	return true
}

// died reports whether the fail point has ended the process, and counts that
// once. One that has ended in another way is a failure of the test: nothing here
// is a reason for that.
func (m *member) died() bool {
	m.t.Helper()
	select {
	case <-m.process.Done():
	default:
		return false
	}
	if err := m.process.Wait(); m.failpoint == "" || err == nil || err.Error() != "signal: killed" {
		m.t.Fatalf("%s ended by itself: %v\n%s", m.name, err, m.logTail())
	}
	m.kills++
	return true
}

// stop asks it to end, which it must do with status 0.
func (m *member) stop() {
	m.t.Helper()
	if err := m.process.Stop(time.Minute); err != nil {
		m.t.Errorf("stop %s: %v", m.name, err)
	}
	if err := m.process.Wait(); err != nil {
		m.t.Errorf("%s after SIGTERM: %v\n%s", m.name, err, m.logTail())
	}
}

// awaitReady asks until it is ready.
func (m *member) awaitReady(ctx context.Context) {
	m.t.Helper()
	again := time.NewTicker(50 * time.Millisecond)
	defer again.Stop()
	for {
		err := getOK(ctx, "http://"+m.admin+"/readyz")
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-m.process.Done():
			m.t.Fatalf("%s ended before it was ready: %v\n%s", m.name, m.process.Wait(), m.logTail())
		case <-ctx.Done():
			m.t.Fatalf("%s is not ready: %v\n%s", m.name, errors.Join(context.Cause(ctx), err), m.logTail())
		}
	}
}

func (m *member) logTail() string {
	log, err := os.ReadFile(m.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}

func getOK(ctx context.Context, url string) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s", url, resp.Status)
	}
	return nil
}

// freeAddr is a loopback address that nobody listened on a moment ago.
func freeAddr(t *testing.T) string {
	t.Helper()
	addrs, err := freeport.Addrs(1)
	if err != nil {
		t.Fatal(err)
	}
	return addrs[0]
}

// logDir is a directory for logs that stays when the test has failed.
func logDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bankimport-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the processes' logs are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
