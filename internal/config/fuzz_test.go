package config

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/secret"
)

// fuzzCanary begins every value that may be a secret.
const fuzzCanary = "xyzzy-77-"

// Whatever the environment: Load says what is wrong, a line for each problem, or
// gives settings that every part takes and that written out are the same. It
// shows no secret, nor what may be one: a value under a name that is not known,
// or in place of a file's name.
func FuzzLoad(f *testing.F) {
	for _, s := range Settings() {
		f.Add(strings.TrimPrefix(s.Name, Prefix), s.Default, "")
	}
	f.Add("KAFKA_BROKERS", "a:1,,[::1]:9092", "hunter2")
	f.Add("KAFKA_BROKERS", "kafka-2.example.com:9092,127.0.0.1:1", "")
	f.Add("KAFKA_SASL_MECHANISM", "scram-sha-512"+strings.Repeat("!", 2000), "")
	f.Add("RETRY_BUDGET", "9999999999999999h", "changeme")
	f.Add("RETRY_BUDGET", "1h2m3.000000004s", "")
	f.Add("MAX_IN_FLIGHT", "0x7fffffffffffffffff", "k1:AAAA,")
	f.Add("PARTITIONS", "0b1_1", "")
	f.Add("CALLBACK_BASE_URL", "https://[::1%25]:99999/\x00", "\xff")
	f.Add("CALLBACK_BASE_URL", "https://bridge.example.com.:443//", "")
	f.Add("FINAPI_REDIRECT_URL", "https:///?#@%zz", " ")
	f.Add("FINAPI_REDIRECT_URL", "https://app.example.com/done?x=%41#y", "")
	f.Add("FINAPI_ACCESS_URL", "http://localhost:8081//x/", "")
	f.Add("FINAPI_FORM_HOSTS", "forms.example.com:444,[::1],localhost", "")
	f.Add("LOG_LEVEL", "INFO+999999999999999999999", "-----BEGIN PRIVATE KEY-----")
	f.Add("LOG_LEVEL", "debug-3", "")
	f.Add("FINAPI_CLIENT_SECRETT", "s3cr3t", "")
	f.Add("FINAPI_CLIENT_SECRET_FILE", "s3cr3t", "")
	known := make(map[string]Setting)
	for _, s := range Settings() {
		known[s.Name] = s
	}
	base := complete()
	f.Fuzz(func(t *testing.T, name, value, hidden string) {
		name, _, _ = strings.Cut(Prefix+name, "=")
		if strings.Contains(name, fuzzCanary) {
			return
		}
		s, plain := known[name]
		if plain = plain && !s.Secret; !plain {
			value = fuzzCanary + value
		}
		environ := append(slices.Clone(base), name+"="+value)
		if hidden != "" { // in every secret, where it is most likely wrong
			for _, s := range known {
				if s.Secret && s.Name != name {
					environ = append(environ, s.Name+"="+fuzzCanary+hidden)
				}
			}
		}
		c, err := Load(environ, NeedAll)
		if out := fmt.Sprintf("%v %+v %#v %v", err, c, c, c.Rows()); !(plain && strings.Contains(value, fuzzCanary)) {
			for _, hidden := range []string{fuzzCanary, userKey, accountKey, "s3cr3t-of-the-client"} {
				if strings.Contains(out, hidden) && !strings.Contains(value, hidden) || strings.Contains(out, fuzzCanary) {
					t.Errorf("a secret was shown: %s", out)
				}
			}
		}
		if err != nil {
			checkProblems(t, err, name)
			return
		}
		checkParts(t, c)
		checkWrittenOut(t, c)
	})
}

// checkProblems wants a list of what is wrong, a printable line each, however
// long the values are. The name of a variable that is not known is shown as it
// is.
func checkProblems(t *testing.T, err error, name string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Problems) == 0 {
		t.Fatalf("got %v, want an *Error with problems", err)
	}
	for _, p := range e.Problems {
		if !strings.HasPrefix(p.Setting, Prefix) || p.Text == "" || len(p.Text) > 1024 {
			t.Errorf("got the problem %+v of %d bytes", p, len(p.Text))
		}
		if strings.ContainsFunc(strings.ReplaceAll(p.Text, name, ""), func(r rune) bool { return !unicode.IsPrint(r) }) {
			t.Errorf("got a problem that is no line: %q", p.Text)
		}
	}
}

// checkParts wants what Load took to be taken by those that it is for.
func checkParts(t *testing.T, c Config) {
	t.Helper()
	engine := c.Pipeline()
	engine.KafkaOpts = []kgo.Opt{kgo.SeedBrokers(c.Kafka.Brokers...)}
	_, connectErr := c.Kafka.Connect()
	_, sealerErr := c.Sealer()
	_, tlsErr := c.Public.TLS()
	err := errors.Join(connectErr, sealerErr, tlsErr, engine.Validate(), c.Client().Validate(), c.Waiting.Timing().Validate(),
		c.TopicSettings("webform", "connection", "accounts", "transactions").Validate())
	if err != nil {
		t.Errorf("Load takes what a part refuses: %v", err)
	}
}

// checkWrittenOut wants the settings to be the same once they are written as
// variables.
func checkWrittenOut(t *testing.T, c Config) {
	t.Helper()
	var environ []string
	for _, s := range Settings() {
		text := show(s.field(&c))
		switch v := s.field(&c).Interface().(type) {
		case secret.Text:
			text = v.Reveal()
		case PEM:
			text = string(v)
		}
		environ = append(environ, s.Name+"="+text)
	}
	again, err := Load(environ, NeedAll)
	if err != nil {
		t.Fatalf("what was loaded is refused once it is written out: %v", err)
	}
	c.origin, again.origin = nil, nil
	if !reflect.DeepEqual(c, again) {
		t.Errorf("written out it is %+v, want %+v", again, c)
	}
}
