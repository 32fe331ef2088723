package config

import (
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestDescribe_HidesSecrets(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t, time.Hour)
	c := load(t, with("BANKIMPORT_PUBLIC_TLS_CERT="+cert, "BANKIMPORT_PUBLIC_TLS_KEY="+key, "BANKIMPORT_DOWNLOAD_DEADLINE=90m"), NeedAll)
	var out strings.Builder
	if err := WriteValues(&out, c.Rows()); err != nil {
		t.Fatal(err)
	}
	for _, hidden := range []string{userKey, accountKey, "s3cr3t", "BEGIN", c.Callback.Keys.Reveal()} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is shown", hidden)
		}
	}
	for _, want := range []string{
		"BANKIMPORT_USER_KEY *** environment",
		"BANKIMPORT_PUBLIC_TLS_CERT (PEM) environment",
		"BANKIMPORT_KAFKA_BROKERS kafka-1.example.com:9092,kafka-2.example.com:9092 environment",
		"BANKIMPORT_DOWNLOAD_DEADLINE 1h30m environment",
		"BANKIMPORT_STATE_RETENTION 720h default",
		"BANKIMPORT_LOG_LEVEL info default",
		"BANKIMPORT_INSTANCE_ID - default",
	} {
		if !strings.Contains(strings.Join(strings.Fields(out.String()), " "), want) {
			t.Errorf("got\n%s\nwant a line %q", out.String(), want)
		}
	}
}

func TestDescribe_ListsEverySetting(t *testing.T) {
	t.Parallel()
	var help, markdown strings.Builder
	if err := WriteHelp(&help); err != nil {
		t.Fatal(err)
	}
	if err := WriteMarkdown(&markdown); err != nil {
		t.Fatal(err)
	}
	for _, s := range Settings() {
		for name, text := range map[string]string{"help": help.String(), "markdown": markdown.String()} {
			if !strings.Contains(text, s.Name) || !strings.Contains(text, s.Description) || !strings.Contains(text, s.Default) {
				t.Errorf("%s: %s is not there with its default and description", name, s.Name)
			}
		}
		if s.File && !strings.Contains(help.String(), s.FileName()) {
			t.Errorf("help: %s is not there", s.FileName())
		}
	}
}

// TestShow_HidesLogins: config print shows settings that would be refused, too.
func TestShow_HidesLogins(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]string{
		"https://user:pass@api.example.com/x": "https://xxxxx@api.example.com/x",
		"https://token@api.example.com":       "https://xxxxx@api.example.com",
		"https://api.example.com/a@b":         "https://api.example.com/a@b",
		"-1":                                  "-1",
	} {
		if got := show(reflect.ValueOf(value)); got != want {
			t.Errorf("%q is shown as %q, want %q", value, got, want)
		}
	}
}
