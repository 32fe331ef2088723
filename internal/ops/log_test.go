package ops_test

import (
	"encoding/json"
	"log/slog"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/ops"
)

func TestNewLogger(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		format string
		json   bool
	}{
		"json":                          {"json", true},
		"text":                          {"text", false},
		"auto, where it is no terminal": {"auto", true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var b strings.Builder
			l := ops.NewLogger(&b, slog.LevelInfo, tc.format)
			l.Debug("left out")
			l.Info("started", "stage", "webform")
			got := b.String()
			if n := strings.Count(got, "\n"); n != 1 {
				t.Fatalf("got %d lines, want 1: %q", n, got)
			}
			if json.Valid([]byte(got)) != tc.json {
				t.Errorf("got %q, want JSON: %t", got, tc.json)
			}
			if !strings.Contains(got, "started") || !strings.Contains(got, "webform") || strings.Contains(got, "\x1b") {
				t.Errorf("got %q", got)
			}
		})
	}
}
