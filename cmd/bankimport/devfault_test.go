package main

import (
	"crypto/x509"
	"errors"
	"net/http"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/simulator"
)

func TestFault_Usage(t *testing.T) {
	t.Parallel()
	for _, command := range []string{"simulator --addr 127.0.0.1:0", "dev --addr 127.0.0.1:0"} {
		for fault, want := range map[string]string{
			"callback-lst":         `fault "callback-lst" is not known; did you mean callback-lost?; see bankimport simulator --list-faults`,
			"callback-late:delay=": "delay=: want a duration above 0, like 5s or 3m",
		} {
			got := call(t, nil, append(strings.Fields(command), "--fault", "callback-lost", "--fault", fault)...)
			got.check(t, exitUsage, want)
			if strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("got %q, want one line", got.stderr)
			}
		}
	}
}

func TestListFaults(t *testing.T) {
	t.Parallel()
	got := call(t, nil, "simulator", "--list-faults")
	got.check(t, exitOK)
	for _, k := range simulator.FaultKinds() {
		if !strings.Contains(got.stdout, "\n  "+k.Name+" ") || !strings.Contains(got.stdout, k.What) || !strings.Contains(got.stdout, k.Group+"\n") {
			t.Errorf("%s is not in the list", k.Name)
		}
	}
}

// A simulator whose TLS fails is no use to any client.
func TestSimulator_TLSFailure(t *testing.T) {
	t.Parallel()
	sim := start(t, nil, "simulator", "--addr", "127.0.0.1:0", "--tls-failure", "expired")
	base := sim.stderr.await(t, `simulated provider at (https://\S+)`)
	_, err := http.Get(base)
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); !ok || invalid.Reason != x509.Expired {
		t.Errorf("got %v, want a certificate that has expired", err)
	}
	sim.interrupt(t)
	got := call(t, nil, "simulator", "--addr", "127.0.0.1:0", "--tls-failure", "nonsense")
	got.check(t, exitUsage, "--tls-failure", "expired")
}

// A fault of the command line is on from the start.
func TestSimulator_Fault(t *testing.T) {
	t.Parallel()
	sim := start(t, nil, "simulator", "--addr", "127.0.0.1:0", "--fault", "token-down")
	base := sim.stderr.await(t, `simulated provider at (http://\S+)`)
	resp, err := http.Post(base+"/api/v2/oauth/token", "application/x-www-form-urlencoded", strings.NewReader("grant_type=client_credentials&client_id=dev&client_secret=dev-secret"))
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("status %d, want 503", resp.StatusCode)
	}
	sim.interrupt(t)
}
