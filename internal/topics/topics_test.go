package topics

import (
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/schemas"
)

var fourStages = []string{"webform", "connection", "accounts", "transactions"}

func TestListIsTheTableOfTheDesign(t *testing.T) {
	t.Parallel()
	const week, month, fiveWeeks = "604800000", "2592000000", "3024000000"
	want := []struct{ name, cleanup, retention, maxBytes string }{
		{"import-requested", "delete", week, ""},
		{"webform-created", "delete", week, ""},
		{"webform-completed", "delete", week, ""},
		{"connection-ready", "delete", week, ""},
		{"accounts-fetched", "delete", week, ""},
		{"import-completed", "delete", month, ""},
		{"import-failed", "delete", month, ""},
		{"import-status", "compact,delete", month, ""},
		{"accounts", "compact,delete", month, ""},
		{"transactions", "compact,delete", month, ""},
		{"dead-letters", "compact,delete", month, "2097152"},
		{"bankimport.webform.state", "compact,delete", fiveWeeks, ""},
		{"bankimport.connection.state", "compact,delete", fiveWeeks, ""},
		{"bankimport.accounts.state", "compact,delete", fiveWeeks, ""},
		{"bankimport.transactions.state", "compact,delete", fiveWeeks, ""},
	}
	list := List(Settings{Prefix: "p.", Stages: fourStages})
	if len(list) != len(want) {
		t.Fatalf("got %d topics, want %d", len(list), len(want))
	}
	for i, w := range want {
		got := list[i]
		if got.Name != "p."+w.name {
			t.Errorf("topic %d: got %s, want p.%s", i, got.Name, w.name)
		}
		for setting, value := range map[string]string{
			"cleanup.policy": w.cleanup, "retention.ms": w.retention, "max.message.bytes": w.maxBytes,
		} {
			if got.Configs[setting] != value {
				t.Errorf("%s: got %s %q, want %q", got.Name, setting, got.Configs[setting], value)
			}
		}
		if got.Partitions != 12 || got.Replication != -1 {
			t.Errorf("%s: got %d partitions and replication %d, want 12 and -1", got.Name, got.Partitions, got.Replication)
		}
		byImport := !strings.HasSuffix(w.name, "accounts") && w.name != "transactions" && w.name != "dead-letters"
		if got.SamePartitions != byImport {
			t.Errorf("%s: got SamePartitions %v, want %v", got.Name, got.SamePartitions, byImport)
		}
	}
}

func TestListFollowsTheSettings(t *testing.T) {
	t.Parallel()
	list := List(Settings{Group: "g", Stages: []string{"one"}, Partitions: 3, Replication: 2, StateRetention: 24 * time.Hour})
	state := list[len(list)-1]
	if state.Name != "g.one.state" || state.Configs["retention.ms"] != "518400000" {
		t.Errorf("got %s kept for %s ms, want g.one.state kept for 518400000 ms", state.Name, state.Configs["retention.ms"])
	}
	for _, topic := range list {
		if topic.Partitions != 3 || topic.Replication != 2 {
			t.Errorf("%s: got %d partitions and replication %d, want 3 and 2", topic.Name, topic.Partitions, topic.Replication)
		}
	}
}

func TestSettingsValidate(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name     string
		settings Settings
		want     []string // parts of the error; none: valid
	}{
		{"defaults", Settings{Stages: fourStages}, nil},
		{"no stages", Settings{}, []string{"Stages is empty"}},
		{"all at once", Settings{Stages: []string{"a/b"}, Prefix: "a b", Partitions: -1, Replication: -2, StateRetention: time.Second},
			[]string{"Prefix and Group", `"a/b"`, "Partitions is -1", "Replication is -2", "StateRetention is 1s"}},
		{"long prefix", Settings{Stages: fourStages, Prefix: strings.Repeat("p", 240)}, []string{"Prefix is too long"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			err := c.settings.Validate()
			if len(c.want) == 0 && err != nil {
				t.Fatalf("got %v, want no error", err)
			}
			for _, part := range c.want {
				if err == nil || !strings.Contains(err.Error(), part) {
					t.Errorf("got %v, want an error with %q", err, part)
				}
			}
		})
	}
}

func TestEveryTopicOfAnEventIsListed(t *testing.T) {
	t.Parallel()
	listed := make(map[string]bool)
	for _, topic := range List(Settings{Stages: fourStages}) {
		listed[topic.Name] = true
	}
	for _, e := range schemas.Events() {
		if !listed[e.Topic()] {
			t.Errorf("%s travels on %s, which is not listed", e.Type(), e.Topic())
		}
	}
}
