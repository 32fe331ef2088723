package testbroker

import (
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/realkafka"
)

// A setting that cannot be met is an error that says so, never another broker.
func TestStart_TakesNothingElse(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix://"+t.TempDir()+"/none")
	for _, tc := range []struct {
		selected string
		want     []string
	}{
		{"docker", []string{"no Docker engine answers at unix://"}},
		{"jars", []string{"make kafka-jars"}},
		{"real", []string{"make kafka-jars"}}, // no engine, so the jars, and they are missing too
		{"kafka", []string{`BANKIMPORT_TEST_KAFKA="kafka"`, "want docker, jars or real"}},
	} {
		t.Run(tc.selected, func(t *testing.T) {
			env := map[string]string{realkafka.KafkaVariable: tc.selected, realkafka.HomeVariable: t.TempDir()}
			b, err := Start(t.Context(), Config{Dir: t.TempDir(), Getenv: func(name string) string { return env[name] }})
			if err == nil {
				t.Fatalf("got %s, want an error", b.On())
			}
			for _, want := range tc.want {
				// Without Java, that is what is said first.
				if !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "install a Java 17") {
					t.Errorf("got error %q, want it to contain %q", err, want)
				}
			}
		})
	}
}
