package docker

import (
	"errors"
	"os/exec"
	"strings"
	"testing"
)

func TestSplitImage(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct{ name, repository, tag string }{
		{"apache/kafka:4.4.0", "apache/kafka", "4.4.0"},
		{"apache/kafka", "apache/kafka", "latest"},
		{"localhost:5000/kafka", "localhost:5000/kafka", "latest"},
		{"localhost:5000/kafka:4", "localhost:5000/kafka", "4"},
		{"apache/kafka@sha256:abc", "apache/kafka@sha256", "abc"},
	} {
		if repository, tag := splitImage(tc.name); repository != tc.repository || tag != tc.tag {
			t.Errorf("%s: got %q and %q, want %q and %q", tc.name, repository, tag, tc.repository, tc.tag)
		}
	}
}

func TestPortTaken(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]bool{
		"API error (500): driver failed programming external connectivity: Bind for 127.0.0.1:4000 failed: port is already allocated": true,
		"listen tcp4 127.0.0.1:4000: bind: address already in use":                                                                    true,
		"no such image": false,
	} {
		if got := portTaken(errors.New(text)); got != want {
			t.Errorf("%s: got %v, want %v", text, got, want)
		}
	}
}

// Docker is for tests; the binary knows nothing of it.
func TestBinaryHasNoDocker(t *testing.T) {
	t.Parallel()
	out, err := exec.CommandContext(t.Context(), "go", "list", "-deps", "github.com/bankimport/bankimport/cmd/bankimport").Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for _, foreign := range []string{"dockertest", "internal/realkafka"} {
		if strings.Contains(string(out), foreign) {
			t.Errorf("cmd/bankimport imports %s", foreign)
		}
	}
}
