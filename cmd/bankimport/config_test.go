package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/config"
)

// The secrets of complete, which no output may have.
const (
	testClientSecret = "s3cret-of-the-client-0123456789"
	testUserKey      = "s3cret-of-all-users-0123456789abc"
	testAccountKey   = "s3cret-of-accounts-0123456789abcd"
)

// complete returns an environment in which nothing is missing, and what is said
// besides; later ones count.
func complete(t *testing.T, more ...string) []string {
	t.Helper()
	environ := []string{"PATH=/nowhere"}
	for _, setting := range append([]string{
		"KAFKA_BROKERS=127.0.0.1:1",
		"FINAPI_CLIENT_ID=client", "FINAPI_CLIENT_SECRET=" + testClientSecret,
		"FINAPI_ACCESS_URL=http://127.0.0.1:1", "FINAPI_WEBFORM_URL=http://127.0.0.1:1",
		"USER_KEY=" + testUserKey, "ACCOUNT_KEY=" + testAccountKey,
		"CALLBACK_BASE_URL=https://bridge.bankimport.test", "CALLBACK_KEYS=" + callback.GenerateKey("k1"),
		"ADMIN_ADDR=127.0.0.1:0", "PUBLIC_ADDR=127.0.0.1:0",
	}, more...) {
		environ = append(environ, config.Prefix+setting)
	}
	return environ
}

func TestConfig_Check(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		environ []string
		args    string
		code    int
		want    []string // in stderr
	}{
		"complete":          {complete(t), "config check", exitOK, nil},
		"complete for some": {[]string{"BANKIMPORT_KAFKA_BROKERS=k:9092", "BANKIMPORT_CALLBACK_KEYS=" + callback.GenerateKey("a")}, "config check bridge", exitOK, nil},
		"all that is missing at once": {nil, "config check", exitUsage, []string{
			"9 settings are wrong", "KAFKA_BROKERS is not set", "FINAPI_CLIENT_ID is", "FINAPI_CLIENT_SECRET is not set, nor is BANKIMPORT_FINAPI_CLIENT_SECRET_FILE",
			"FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "USER_KEY", "ACCOUNT_KEY", "CALLBACK_BASE_URL", "CALLBACK_KEYS"}},
		"run says so too":      {nil, "run", exitUsage, []string{"9 settings are wrong"}},
		"run of the bridge":    {nil, "run bridge", exitUsage, []string{"2 settings are wrong", "KAFKA_BROKERS", "CALLBACK_KEYS"}},
		"unknown variable":     {complete(t, "KAFKA_BROKER=k:1"), "config check", exitUsage, []string{"BANKIMPORT_KAFKA_BROKER is no setting: did you mean BANKIMPORT_KAFKA_BROKERS?"}},
		"in every command":     {[]string{"BANKIMPORT_LOGLEVEL=debug"}, "import --user u", exitUsage, []string{"did you mean BANKIMPORT_LOG_LEVEL?"}},
		"in dev":               {[]string{"BANKIMPORT_DEVADDR=:1"}, "dev", exitUsage, []string{"did you mean BANKIMPORT_DEV_ADDR?"}},
		"in the simulator":     {[]string{"BANKIMPORT_SIMULATR_ADDR=:1"}, "simulator", exitUsage, []string{"did you mean BANKIMPORT_SIMULATOR_ADDR?"}},
		"in topics":            {[]string{"BANKIMPORT_PARTITION=3"}, "topics plan", exitUsage, []string{"did you mean BANKIMPORT_PARTITIONS?"}},
		"in watch":             {[]string{"BANKIMPORT_PREFIX=3"}, "watch", exitUsage, []string{"did you mean BANKIMPORT_TOPIC_PREFIX?"}},
		"value and file":       {complete(t, "USER_KEY_FILE=/run/secrets/user-key"), "config check", exitUsage, []string{"BANKIMPORT_USER_KEY and BANKIMPORT_USER_KEY_FILE are both set: keep one of them"}},
		"file that is missing": {complete(t, "USER_KEY=", "USER_KEY_FILE="+filepath.Join(t.TempDir(), "none")), "config check", exitUsage, []string{"USER_KEY_FILE names a file that does not exist"}},
		"a value that is wrong": {complete(t, "MAX_IN_FLIGHT=many", "LOG_FORMAT=xml"), "config check", exitUsage, []string{
			`2 settings are wrong`, `MAX_IN_FLIGHT is "many": want a whole number`, `LOG_FORMAT is "xml": want one of`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := call(t, tc.environ, strings.Fields(tc.args)...)
			got.check(t, tc.code, tc.want...)
			stdout := ""
			if tc.code == exitOK {
				stdout = "the configuration is complete\n"
			}
			if got.stdout != stdout {
				t.Errorf("got stdout %q, want %q", got.stdout, stdout)
			}
			noSecrets(t, got.stderr)
		})
	}
}

// TestConfig_Print shows all settings, and no secret in any form.
func TestConfig_Print(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "account-key")
	if err := os.WriteFile(file, []byte(testAccountKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	environ := complete(t, "ACCOUNT_KEY=", "ACCOUNT_KEY_FILE="+file)

	text := call(t, environ, "config", "print")
	text.check(t, exitOK)
	noSecrets(t, text.stdout, text.stderr)
	if strings.Contains(text.stdout, "k1:") {
		t.Error("the callback key is there")
	}
	rows := map[string]string{}
	for line := range strings.Lines(text.stdout) {
		if f := strings.Fields(line); len(f) == 3 {
			rows[f[0]] = f[1] + " " + f[2]
		}
	}

	asJSON := call(t, environ, "config", "print", "-o", "json")
	asJSON.check(t, exitOK)
	noSecrets(t, asJSON.stdout, asJSON.stderr)
	var parsed []config.Row
	if err := json.Unmarshal([]byte(asJSON.stdout), &parsed); err != nil {
		t.Fatal(err)
	}
	if len(parsed) != len(config.Settings()) || len(rows) != len(parsed) {
		t.Errorf("got %d rows of text and %d of JSON, want %d", len(rows), len(parsed), len(config.Settings()))
	}
	for name, want := range map[string]string{
		"BANKIMPORT_USER_KEY":      "*** environment",
		"BANKIMPORT_ACCOUNT_KEY":   "*** file",
		"BANKIMPORT_CALLBACK_KEYS": "*** environment",
		"BANKIMPORT_TOPIC_PREFIX":  "- default",
		"BANKIMPORT_MAX_IN_FLIGHT": "1000 default",
	} {
		if rows[name] != want {
			t.Errorf("%s: got %q, want %q", name, rows[name], want)
		}
	}
}

// TestConfig_PrintWhatIsWrong: printing is how somebody finds a mistake, so it
// works with one.
func TestConfig_PrintWhatIsWrong(t *testing.T) {
	t.Parallel()
	got := call(t, []string{"BANKIMPORT_MAX_IN_FLIGHT=many", "BANKIMPORT_NONSENSE=1"}, "config", "print")
	got.check(t, exitOK)
	if !strings.Contains(got.stdout, "BANKIMPORT_MAX_IN_FLIGHT") {
		t.Errorf("got %s", got.stdout)
	}
}

func TestConfig_HelpListsAll(t *testing.T) {
	t.Parallel()
	got := call(t, nil, "config", "help")
	got.check(t, exitOK)
	for _, s := range config.Settings() {
		if !strings.Contains(got.stdout, s.Name) || !strings.Contains(got.stdout, s.Description) || s.File && !strings.Contains(got.stdout, s.FileName()) {
			t.Errorf("%s is missing, or how it is set", s.Name)
		}
	}
}

func TestVersion(t *testing.T) {
	t.Parallel()
	for _, arg := range []string{"version", "--version"} {
		got := call(t, nil, arg)
		got.check(t, exitOK)
		if !strings.HasPrefix(got.stdout, "bankimport ") || strings.Count(got.stdout, "\n") != 1 || got.stderr != "" {
			t.Errorf("%s: got %q and %q, want one line", arg, got.stdout, got.stderr)
		}
	}
}

func noSecrets(t *testing.T, texts ...string) {
	t.Helper()
	for _, text := range texts {
		if strings.Contains(text, "s3cret") {
			t.Errorf("a secret is in:\n%s", text)
		}
	}
}
