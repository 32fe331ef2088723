package config

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/secret"
)

const (
	userKey    = "Zt9pQmX2vKc7LwYb4NsHfRj8DgAe6UuTnM3oWi5PqS1="
	accountKey = "aV8sLx0QkTz5BnE2mJcRyWf7HpUo4GdKtXi9ZbMq6Nw="
)

// complete is everything that NeedAll needs.
func complete() []string {
	return []string{
		"BANKIMPORT_KAFKA_BROKERS=kafka-1.example.com:9092, kafka-2.example.com:9092",
		"BANKIMPORT_FINAPI_CLIENT_ID=client",
		"BANKIMPORT_FINAPI_CLIENT_SECRET=s3cr3t-of-the-client",
		"BANKIMPORT_FINAPI_ACCESS_URL=https://sandbox.finapi.io",
		"BANKIMPORT_FINAPI_WEBFORM_URL=https://webform-sandbox.finapi.io",
		"BANKIMPORT_USER_KEY=" + userKey,
		"BANKIMPORT_ACCOUNT_KEY=" + accountKey,
		"BANKIMPORT_CALLBACK_BASE_URL=https://bridge.example.com/",
		"BANKIMPORT_CALLBACK_KEYS=" + callback.GenerateKey("k1"),
	}
}

// with returns complete with more variables.
func with(vars ...string) []string { return append(complete(), vars...) }

func load(t *testing.T, environ []string, need Need) Config {
	t.Helper()
	c, err := Load(environ, need)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// wantProblem fails unless there is exactly the one problem, with these words.
func wantProblem(t *testing.T, name string, err error, setting, words string) {
	t.Helper()
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Errorf("%s: got %v, want a problem with %s", name, err, setting)
		return
	}
	if len(e.Problems) != 1 || e.Problems[0].Setting != Prefix+setting || !strings.Contains(e.Problems[0].Text, words) {
		t.Errorf("%s: got %v\nwant one problem with %s that says %q", name, err, setting, words)
	}
}

func TestLoad_Complete(t *testing.T) {
	t.Parallel()
	c := load(t, with("BANKIMPORT_RETRY_BUDGET=90s", "BANKIMPORT_ACCOUNT_TYPES=checking, savings", "BANKIMPORT_RETRY_BUDGET=2m",
		"OTHER=x", "bankimport_x=y", "BANKIMPORT_LOG_LEVEL=WARN"), NeedAll)
	for _, v := range []struct {
		name      string
		got, want any
	}{
		{"brokers", c.Kafka.Brokers, []string{"kafka-1.example.com:9092", "kafka-2.example.com:9092"}},
		{"a default", c.Waiting.FormPoll, 30 * time.Second},
		{"the last one counts", c.Engine.RetryBudget, 2 * time.Minute},
		{"list", c.Imports.AccountTypes, []string{"checking", "savings"}},
		{"level", c.Log.Level.String(), "WARN"},
		{"secret", c.Provider.UserKey, secret.Text(userKey)},
		{"base without a slash", c.Callback.BaseURL, "https://bridge.example.com"},
		{"origin of what is set", c.Origin(Prefix + "RETRY_BUDGET"), FromEnvironment},
		{"origin of what is not", c.Origin(Prefix + "PARTITIONS"), FromDefault},
	} {
		if !reflect.DeepEqual(v.got, v.want) {
			t.Errorf("%s: got %v, want %v", v.name, v.got, v.want)
		}
	}
}

// What somebody needs who only publishes requests beside bankimport dev.
func TestLoad_NothingSet(t *testing.T) {
	t.Parallel()
	c := load(t, nil, NeedKafka)
	if got := strings.Join(c.Kafka.Brokers, " "); got != c.Dev.KafkaAddr {
		t.Errorf("got brokers %s, want the one of bankimport dev, %s", got, c.Dev.KafkaAddr)
	}
	// Every default is a value that may be set: written out, nothing changes.
	var written []string
	for _, s := range Settings() {
		written = append(written, s.Name+"="+s.Default)
	}
	again := load(t, written, NeedKafka)
	c.origin, again.origin = nil, nil
	if !reflect.DeepEqual(c, again) {
		t.Errorf("the defaults written out: got %+v, want %+v", again, c)
	}
}

func TestLoad_RequiredByPart(t *testing.T) {
	t.Parallel()
	for part, want := range map[string][]string{
		"bridge":       {"KAFKA_BROKERS", "CALLBACK_KEYS"},
		"webform":      {"KAFKA_BROKERS", "FINAPI_CLIENT_ID", "FINAPI_CLIENT_SECRET", "FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "USER_KEY", "CALLBACK_BASE_URL", "CALLBACK_KEYS"},
		"connection":   {"KAFKA_BROKERS", "FINAPI_CLIENT_ID", "FINAPI_CLIENT_SECRET", "FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "USER_KEY"},
		"accounts":     {"KAFKA_BROKERS", "FINAPI_CLIENT_ID", "FINAPI_CLIENT_SECRET", "FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "USER_KEY", "ACCOUNT_KEY"},
		"transactions": {"KAFKA_BROKERS", "FINAPI_CLIENT_ID", "FINAPI_CLIENT_SECRET", "FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "USER_KEY"},
	} {
		_, err := Load(nil, NeedOf(part))
		e, ok := errors.AsType[*Error](err)
		if !ok {
			t.Errorf("%s: got %v, want what is missing", part, err)
			continue
		}
		var got []string
		for _, p := range e.Problems {
			got = append(got, strings.TrimPrefix(p.Setting, Prefix))
			if !strings.Contains(p.Text, "is not set") {
				t.Errorf("%s: got %q, want it to be about what is not set", part, p)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", part, got, want)
		}
	}
	all := NeedOf("webform") | NeedOf("connection") | NeedOf("accounts") | NeedOf("transactions")
	if all != NeedStages {
		t.Errorf("the needs of all stages: got %b, want %b", all, NeedStages)
	}
}

// A process that does not use a secret does not read it, even if it could not.
func TestLoad_ReadsOnlyNeededSecrets(t *testing.T) {
	t.Parallel()
	environ := with("BANKIMPORT_KAFKA_SASL_PASSWORD_FILE=/nowhere/at/all", "BANKIMPORT_CALLBACK_KEYS=nonsense")
	c := load(t, environ, 0)
	if c.Provider.UserKey != "" || c.Callback.Keys != "" || c.Kafka.Password != "" {
		t.Error("secrets were read that nobody needs")
	}
	if c := load(t, complete(), NeedOf("bridge")); c.Provider.ClientSecret != "" || c.Provider.UserKey != "" || c.Imports.AccountKey != "" {
		t.Error("the bridge has read the provider's secrets")
	}
}

func TestLoad_EverythingAtOnce(t *testing.T) {
	t.Parallel()
	_, err := Load([]string{
		"BANKIMPORT_PARTITIONS=many", "BANKIMPORT_RETRY_BUDGET=15", "BANKIMPORT_FORM_GRACE=-1s", "BANKIMPORT_LOG_LEVEL=loud",
		"BANKIMPORT_KAFKA_TLS=perhaps", "BANKIMPORT_CALLBACK_KEYS=k1:short,k2", "BANKIMPORT_NONSENSE=1", "BANKIMPORT_KAFKA_BROKERS=a:1",
	}, NeedOf("bridge"))
	e, ok := errors.AsType[*Error](err)
	if !ok {
		t.Fatalf("got %v, want an *Error", err)
	}
	var got []string
	for _, p := range e.Problems {
		got = append(got, strings.TrimPrefix(p.Setting, Prefix))
	}
	want := []string{"KAFKA_TLS", "PARTITIONS", "RETRY_BUDGET", "CALLBACK_KEYS", "CALLBACK_KEYS", "FORM_GRACE", "LOG_LEVEL", "NONSENSE"}
	if !slices.Equal(got, want) {
		t.Errorf("got problems with %v, want %v", got, want)
	}
	if lines := strings.Split(err.Error(), "\n"); len(lines) != len(want)+1 || lines[0] != "8 settings are wrong:" {
		t.Errorf("got the text\n%v\nwant a line for each problem", err)
	}
}

func TestLoad_Files(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	loop := filepath.Join(dir, "loop")
	if err := os.Symlink(loop, loop); err != nil {
		t.Fatal(err)
	}
	const name = "BANKIMPORT_FINAPI_CLIENT_SECRET"
	environ := slices.DeleteFunc(complete(), func(s string) bool { return strings.HasPrefix(s, name) })

	for what, text := range map[string]string{
		"plain": "from-a-file", "newline": "from-a-file\n", "Windows newline": "from-a-file\r\n", "two newlines": "from-a-file\n\n",
	} {
		c := load(t, append(slices.Clone(environ), name+"_FILE="+write("secret", text)), NeedAll)
		if got := c.Provider.ClientSecret.Reveal(); got != "from-a-file" || c.Origin(name) != FromFile {
			t.Errorf("%s: got %q from %s, want from-a-file", what, got, c.Origin(name))
		}
	}

	for _, c := range []struct{ name, path, want string }{
		{"missing", filepath.Join(dir, "missing"), "does not exist"},
		{"directory", dir, "names a directory"},
		{"symlink loop", loop, "cannot be opened"},
		{"device", "/dev/zero", "no regular file"},
		{"empty", write("empty", ""), "empty file"},
		{"blank", write("blank", " \n\n"), "empty file"},
		{"10 MB", write("large", strings.Repeat("x", 10<<20)), "more than 1 MiB"},
		{"no text", write("binary", "\xff\xfe\x00"), "no text"},
		{"spaces around", write("spaces", " padded\n"), "white space"},
		{"placeholder", write("changeme", "ChangeMe\n"), "placeholder"},
		{"control characters", write("control", "a\x1b[31mb"), "control characters"},
		{"the secret in place of the path", "hunter2-hunter2", "does not exist"},
	} {
		_, err := Load(append(slices.Clone(environ), name+"_FILE="+c.path), NeedAll)
		wantProblem(t, c.name, err, "FINAPI_CLIENT_SECRET", c.want)
		if err != nil && (strings.Contains(err.Error(), c.path) || strings.Contains(err.Error(), "padded")) {
			t.Errorf("%s: %q quotes what may be a secret", c.name, err)
		}
	}

	_, err := Load(with(name+"_FILE="+write("both", "x")), NeedAll)
	wantProblem(t, "both", err, "FINAPI_CLIENT_SECRET", "and BANKIMPORT_FINAPI_CLIENT_SECRET_FILE are both set")
	_, err = Load(with(name+"_FILE="+write("both", "x")), NeedKafka)
	wantProblem(t, "both, not needed", err, "FINAPI_CLIENT_SECRET", "both set")
	_, err = Load(with("BANKIMPORT_PARTITIONS_FILE="+write("number", "12")), NeedAll)
	wantProblem(t, "no secret", err, "PARTITIONS_FILE", "only secrets and PEM texts may be files")
}

func TestLoad_UnknownVariables(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, value, want string }{
		{"KAFKA_BROKER", "x", "did you mean BANKIMPORT_KAFKA_BROKERS?"},
		{"KAKFA_BROKERS", "x", "did you mean BANKIMPORT_KAFKA_BROKERS?"},
		{"BROKERS", "x", "did you mean BANKIMPORT_KAFKA_BROKERS?"},
		{"FINAPI_SECRET", "x", "did you mean BANKIMPORT_FINAPI_CLIENT_SECRET?"},
		{"FINAPI_CLIENT_SECRET_FIEL", "x", "did you mean BANKIMPORT_FINAPI_CLIENT_SECRET_FILE?"},
		{"FORM_POLL_INTERVALL", "x", "did you mean BANKIMPORT_FORM_POLL_INTERVAL?"},
		{"ADMIN_PORT", "9090", "did you mean BANKIMPORT_ADMIN_ADDR?"},
		{"MAX_INFLIGHT", "x", "did you mean BANKIMPORT_MAX_IN_FLIGHT?"},
		{"SOMETHING_ELSE", "x", "bankimport config print"},
		{"", "x", "bankimport config print"},
		{"TEST", "x", "bankimport config print"},
	} {
		_, err := Load(with(Prefix+c.name+"="+c.value), NeedAll)
		wantProblem(t, c.name, err, c.name, c.want)
	}
	load(t, with(
		"BANKIMPORT_TEST_KAFKA=real",
		"BANKIMPORT_SERVICE_HOST=10.0.0.1", "BANKIMPORT_SERVICE_PORT=8443", "BANKIMPORT_SERVICE_PORT_HTTPS=8443",
		"BANKIMPORT_PORT=tcp://10.0.0.1:8443", "BANKIMPORT_PORT_8443_TCP=tcp://10.0.0.1:8443",
		"BANKIMPORT_BRIDGE_PORT_8443_TCP_PROTO=tcp", "BANKIMPORT_BRIDGE_PORT_8443_TCP_PORT=8443", "BANKIMPORT_BRIDGE_PORT_8443_TCP_ADDR=10.0.0.1",
		"BANKIMPORT_ADMIN_PORT=udp://10.0.0.1:9090",
		"BANKIMPORT_EMPTY=",
	), NeedAll)
}
