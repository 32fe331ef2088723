package secret_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/secret"
)

func TestText_NeverPrinted(t *testing.T) {
	t.Parallel()
	const hidden = "hunter2"
	s := secret.Text(hidden)
	holder := struct {
		Password secret.Text
		ByName   map[string]secret.Text
	}{s, map[string]secret.Text{"a": s}}

	var out bytes.Buffer
	for _, v := range []any{s, &s, holder, &holder, []secret.Text{s}} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d", "%t", "%10s", "%U", "%e", "%c"} {
			fmt.Fprintf(&out, verb+"\n", v)
		}
		slog.New(slog.NewTextHandler(&out, nil)).Info("message", "value", v)
		slog.New(slog.NewJSONHandler(&out, nil)).Info("message", "value", v)
		encoded, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		out.Write(encoded)
	}
	for _, shown := range []string{hidden, fmt.Sprintf("%x", hidden), fmt.Sprintf("%X", hidden)} {
		if strings.Contains(out.String(), shown) {
			t.Errorf("printed as %q ", shown)
		}
	}
	if !strings.Contains(out.String(), "***") {
		t.Error("got no *** in what was printed")
	}
	if got := s.Reveal(); got != hidden {
		t.Errorf("Reveal: got %q, want %q", got, hidden)
	}
}
