package config

import (
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
)

// What is built from the settings carries every one of them: a field that is
// forgotten would silently keep its default.
func TestConfig_BuildsFromAllSettings(t *testing.T) {
	t.Parallel()
	c := load(t, with("BANKIMPORT_TOPIC_PREFIX=p-", "BANKIMPORT_INSTANCE_ID=i", "BANKIMPORT_FINAPI_REDIRECT_URL=https://example.com/x", "BANKIMPORT_FINAPI_FORM_HOSTS=a.example.com"), NeedAll)
	for _, b := range []struct {
		name    string
		built   any
		callers []string // fields that the caller sets, or that are no settings
	}{
		{"pipeline", c.Pipeline(), []string{"KafkaOpts", "Hooks", "Group", "DeadLetterTopic", "Logger", "Metrics", "Committed"}},
		{"topics", c.TopicSettings("webform"), []string{"Group"}},
		{"finapi", c.Client(), []string{"MaxUsers", "Transport", "Logger", "Metrics"}},
		{"timing", c.Waiting.Timing(), nil},
		{"reading", c.Waiting.Reading(), []string{"MaxPages"}},
	} {
		v := reflect.ValueOf(b.built)
		for i := range v.NumField() {
			name := v.Type().Field(i).Name
			left := len(b.callers) > 0 && strings.Contains(" "+strings.Join(b.callers, " ")+" ", " "+name+" ")
			if v.Field(i).IsZero() != left {
				t.Errorf("%s: field %s: got zero: %t, want %t", b.name, name, v.Field(i).IsZero(), left)
			}
		}
		if validator, ok := b.built.(interface{ Validate() error }); ok && b.name != "pipeline" { // it lacks the brokers here
			if err := validator.Validate(); err != nil {
				t.Errorf("%s: %v", b.name, err)
			}
		}
	}
	if got := c.Client().Patience; got != 30*time.Second {
		t.Errorf("patience with the provider: got %s, want its default of 30s", got)
	}
	if got := load(t, with("BANKIMPORT_RETRY_BUDGET=40s"), NeedAll).Client().Patience; got != 10*time.Second {
		t.Errorf("patience with the provider where a step is tried for 40s: got %s, want 10s", got)
	}
	if got := load(t, with("BANKIMPORT_COMMIT_INTERVAL=0s"), NeedAll).Pipeline().CommitInterval; got >= 0 {
		t.Errorf("no distance between commits: got %s, want a negative one, which the engine takes for none", got)
	}
}

// The defaults written here are those of the packages that they are for.
func TestConfig_DefaultsAgree(t *testing.T) {
	t.Parallel()
	c := load(t, complete(), NeedAll)
	if got, want := c.Waiting.Timing(), (c.Waiting.Timing()).WithDefaults(); got != want {
		t.Errorf("got %v, want %v", got, want)
	}
	var none Waiting
	if got, want := c.Waiting.Timing(), none.Timing().WithDefaults(); got != want {
		t.Errorf("timing: got %+v, want the stage's own defaults %+v", got, want)
	}
}

func TestConfig_SealsForItsPrefix(t *testing.T) {
	t.Parallel()
	keys := "BANKIMPORT_CALLBACK_KEYS=" + callback.GenerateKey("k1")
	sealer := func(prefix string) *callback.Sealer {
		s, err := load(t, with(keys, "BANKIMPORT_TOPIC_PREFIX="+prefix), NeedAll).Sealer()
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	now := time.Now()
	token, err := sealer("a.").Seal(callback.Token{ImportID: "7f3a0c1e-5b1d-4c62-8e0f-0a1b2c3d91c2", Run: 1, Expires: now.Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sealer("a.").Open(token, now); err != nil {
		t.Errorf("the same prefix: %v", err)
	}
	if _, err := sealer("b.").Open(token, now); err == nil {
		t.Error("another prefix: it opened")
	}
}
