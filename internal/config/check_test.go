package config

import (
	"encoding/base64"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/selfsigned"
)

// The bad settings of the fault list, each beside an otherwise complete
// configuration.
func TestLoad_BadValues(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t, time.Hour)
	_, otherKey := selfSigned(t, time.Hour)
	expired, expiredKey := selfSigned(t, -time.Hour)
	short16 := "k1:" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef"))
	good := callback.GenerateKey("k1")

	for _, c := range []struct{ name, environ, setting, want string }{
		{"D1 no brokers", "KAFKA_BROKERS=", "KAFKA_BROKERS", "is not set"},
		{"D1 an empty broker", "KAFKA_BROKERS=a:9092,", "KAFKA_BROKERS", `entry 2 ("") must be host:port`},
		{"D2 without port", "KAFKA_BROKERS=kafka", "KAFKA_BROKERS", "must be host:port"},
		{"D2 with scheme", "KAFKA_BROKERS=tcp://kafka:9092", "KAFKA_BROKERS", "no scheme"},
		{"D2 port 0", "KAFKA_BROKERS=kafka:0", "KAFKA_BROKERS", "1 to 65535"},
		{"D2 port 99999", "KAFKA_BROKERS=kafka:99999", "KAFKA_BROKERS", "1 to 65535"},
		{"D2 with a path", "KAFKA_BROKERS=a/b:9092", "KAFKA_BROKERS", "host that is none"},

		{"D4 without unit", "RETRY_BUDGET=15", "RETRY_BUDGET", "a duration with its unit"},
		{"D4 negative", "RETRY_BUDGET=-15m", "RETRY_BUDGET", "is -15m: want 1s to 24h"},
		{"D4 zero", "DOWNLOAD_DEADLINE=0s", "DOWNLOAD_DEADLINE", "is 0s: want 1s"},
		{"D4 overflow", "RETRY_BUDGET=9999999999999h", "RETRY_BUDGET", "a duration with its unit"},
		{"D4 no number", "PARTITIONS=1.5", "PARTITIONS", "a whole number"},
		{"D4 number too large", "MAX_IN_FLIGHT=99999999999999999999", "MAX_IN_FLIGHT", "a whole number"},
		{"no bool", "KAFKA_TLS=yes", "KAFKA_TLS", "true or false"},
		{"no log level", "LOG_LEVEL=loud", "LOG_LEVEL", "debug, info, warn or error"},
		{"no log format", "LOG_FORMAT=xml", "LOG_FORMAT", "one of auto, text, json"},

		{"D5 empty secret", "FINAPI_CLIENT_SECRET=", "FINAPI_CLIENT_SECRET", "is not set"},
		{"D5 placeholder", "FINAPI_CLIENT_SECRET=changeme", "FINAPI_CLIENT_SECRET", "placeholder"},
		{"D5 a template's hole", "FINAPI_CLIENT_SECRET=${SECRET}", "FINAPI_CLIENT_SECRET", "placeholder"},
		{"D5 a page's hole", "FINAPI_CLIENT_SECRET=<your secret>", "FINAPI_CLIENT_SECRET", "placeholder"},
		{"short user key", "USER_KEY=abcdefghijklmnop", "USER_KEY", "has 16 characters, want at least 32"},
		{"user key of one letter", "USER_KEY=" + strings.Repeat("a", 40), "USER_KEY", "is not random"},
		{"short account key", "ACCOUNT_KEY=abcdefghijklmnop", "ACCOUNT_KEY", "has 16 characters"},
		{"one key for two things", "ACCOUNT_KEY=" + userKey, "ACCOUNT_KEY", "is the same as BANKIMPORT_USER_KEY"},

		{"D7 short key", "CALLBACK_KEYS=" + short16, "CALLBACK_KEYS", "has a key of 16 bytes, want 32"},
		{"D7 duplicate ids", "CALLBACK_KEYS=" + good + "," + callback.GenerateKey("k1"), "CALLBACK_KEYS", "entries 1 and 2 have the same id"},
		{"D7 placeholder", "CALLBACK_KEYS=changeme", "CALLBACK_KEYS", "placeholder"},

		{"D8 http", "CALLBACK_BASE_URL=http://bridge.example.com", "CALLBACK_BASE_URL", "https://"},
		{"D8 javascript", "CALLBACK_BASE_URL=javascript:alert(1)", "CALLBACK_BASE_URL", "no URL"},
		{"D8 path", "CALLBACK_BASE_URL=https://example.com/bridge", "CALLBACK_BASE_URL", "no path"},
		{"D8 query", "CALLBACK_BASE_URL=https://example.com?a=b", "CALLBACK_BASE_URL", "no path, query"},
		{"D8 empty query", "CALLBACK_BASE_URL=https://example.com/?", "CALLBACK_BASE_URL", "no path, query"},
		{"D8 fragment", "CALLBACK_BASE_URL=https://example.com/#a", "CALLBACK_BASE_URL", "no path, query or fragment"},
		{"D8 user", "CALLBACK_BASE_URL=https://u:p@example.com", "CALLBACK_BASE_URL", "no user"},
		{"D8 without dot", "CALLBACK_BASE_URL=https://bridge", "CALLBACK_BASE_URL", "host with a dot"},
		{"D8 localhost", "CALLBACK_BASE_URL=https://localhost:8443", "CALLBACK_BASE_URL", "host with a dot"},
		{"D8 IPv4", "CALLBACK_BASE_URL=https://127.0.0.1", "CALLBACK_BASE_URL", "no address"},
		{"D8 IPv4, short", "CALLBACK_BASE_URL=https://127.1", "CALLBACK_BASE_URL", "no address"},
		{"D8 IPv4, hexadecimal", "CALLBACK_BASE_URL=https://127.0.0.0x1", "CALLBACK_BASE_URL", "no address"},
		{"D8 IPv4, one number", "CALLBACK_BASE_URL=https://2130706433", "CALLBACK_BASE_URL", "host with a dot"},
		{"D8 IPv6", "CALLBACK_BASE_URL=https://[::ffff:127.0.0.1]", "CALLBACK_BASE_URL", "no address"},
		{"D8 tab", "CALLBACK_BASE_URL=https://a.example.com\t", "CALLBACK_BASE_URL", "no URL"},
		{"D8 line break in the host", "CALLBACK_BASE_URL=https://a%0d%0a.example.com", "CALLBACK_BASE_URL", "no URL"},
		{"D8 not ASCII", "CALLBACK_BASE_URL=https://brücke.example.com", "CALLBACK_BASE_URL", "no address"},
		{"D8 bad port", "CALLBACK_BASE_URL=https://a.example.com:0", "CALLBACK_BASE_URL", "port"},

		{"redirect by http", "FINAPI_REDIRECT_URL=http://example.com", "FINAPI_REDIRECT_URL", "https://"},
		{"redirect with characters", "FINAPI_REDIRECT_URL=https://example.com/{x}", "FINAPI_REDIRECT_URL", "characters that finAPI refuses"},
		{"redirect of 2,049 characters", "FINAPI_REDIRECT_URL=https://example.com/" + strings.Repeat("a", 2029), "FINAPI_REDIRECT_URL", "longer than 2048"},
		{"form host with a path", "FINAPI_FORM_HOSTS=a.example.com,b.example.com/x", "FINAPI_FORM_HOSTS", "entry 2 is no host"},

		{"D9 sandbox and live", "FINAPI_WEBFORM_URL=https://webform-live.finapi.io", "FINAPI_WEBFORM_URL", "both must be of one environment"},
		{"access by http", "FINAPI_ACCESS_URL=http://sandbox.finapi.io", "FINAPI_ACCESS_URL", "https://"},
		{"access without scheme", "FINAPI_ACCESS_URL=sandbox.finapi.io", "FINAPI_ACCESS_URL", "no URL"},
		{"access with a query", "FINAPI_ACCESS_URL=https://sandbox.finapi.io?x", "FINAPI_ACCESS_URL", "no user, query"},

		{"D10 transaction above session", "TRANSACTION_TIMEOUT=13s", "SESSION_TIMEOUT", "below BANKIMPORT_TRANSACTION_TIMEOUT"},
		{"D11 illegal prefix", "TOPIC_PREFIX=a/b", "TOPIC_PREFIX", "letters, digits"},
		{"D11 long prefix", "TOPIC_PREFIX=" + strings.Repeat("a", 250), "TOPIC_PREFIX", "at most 100"},
		{"D14 replication 0 to 33", "REPLICATION=33", "REPLICATION", "-1 to 32"},
		{"partitions 0", "PARTITIONS=0", "PARTITIONS", "1 to 10000"},
		{"D15 illegal instance", "INSTANCE_ID=a b", "INSTANCE_ID", "letters, digits"},
		{"D16 address without port", "ADMIN_ADDR=127.0.0.1", "ADMIN_ADDR", "host:port"},
		{"D16 address with a name for the port", "PUBLIC_ADDR=:https", "PUBLIC_ADDR", "port"},
		{"D18 retention below the waits", "STATE_RETENTION=1h", "STATE_RETENTION", "forgotten while they run"},
		{"D19 no calls", "FINAPI_MAX_CONCURRENT=0", "FINAPI_MAX_CONCURRENT", "1 to 10000"},
		{"poll above its maximum", "DOWNLOAD_POLL_INTERVAL=16s", "DOWNLOAD_POLL_INTERVAL", "above BANKIMPORT_DOWNLOAD_POLL_MAX"},
		{"form poll below the provider's pace", "FORM_POLL_INTERVAL=999ms", "FORM_POLL_INTERVAL", "1s to 1h"},
		{"unknown account type", "ACCOUNT_TYPES=checking,Savings", "ACCOUNT_TYPES", `entry 2 ("Savings") is no kind of account`},
		{"account type twice", "ACCOUNT_TYPES=checking,checking", "ACCOUNT_TYPES", "twice"},

		{"D20 mismatch", "PUBLIC_TLS_CERT=" + cert + "|PUBLIC_TLS_KEY=" + otherKey, "PUBLIC_TLS_CERT", "does not match"},
		{"D20 expired", "PUBLIC_TLS_CERT=" + expired + "|PUBLIC_TLS_KEY=" + expiredKey, "PUBLIC_TLS_CERT", "expired"},
		{"D20 certificate alone", "PUBLIC_TLS_CERT=" + cert, "PUBLIC_TLS_KEY", "set both or none"},
		{"D20 key alone", "PUBLIC_TLS_KEY=" + key, "PUBLIC_TLS_CERT", "set both or none"},
		{"D20 CA empty", "KAFKA_TLS=true|KAFKA_TLS_CA=hello", "KAFKA_TLS_CA", "no certificate"},
		{"D20 Kafka mismatch", "KAFKA_TLS=true|KAFKA_TLS_CERT=" + cert + "|KAFKA_TLS_KEY=" + otherKey, "KAFKA_TLS_CERT", "does not match"},
		{"CA without TLS", "KAFKA_TLS_CA=" + cert, "KAFKA_TLS", "set it to true"},

		{"D21 SASL over plaintext", "KAFKA_SASL_MECHANISM=SCRAM-SHA-512|KAFKA_SASL_USER=u|KAFKA_SASL_PASSWORD=p", "KAFKA_TLS", "without TLS"},
		{"SASL without user", "KAFKA_TLS=true|KAFKA_SASL_MECHANISM=PLAIN|KAFKA_SASL_PASSWORD=p", "KAFKA_SASL_USER", "is not set"},
		{"SASL without password", "KAFKA_TLS=true|KAFKA_SASL_MECHANISM=PLAIN|KAFKA_SASL_USER=u", "KAFKA_SASL_PASSWORD", "is not set"},
		{"SASL without mechanism", "KAFKA_TLS=true|KAFKA_SASL_USER=u|KAFKA_SASL_PASSWORD=p", "KAFKA_SASL_MECHANISM", "is not set"},
		{"unknown mechanism", "KAFKA_TLS=true|KAFKA_SASL_MECHANISM=GSSAPI", "KAFKA_SASL_MECHANISM", "no mechanism"},
	} {
		var more []string
		for v := range strings.SplitSeq(c.environ, "|") {
			more = append(more, Prefix+v)
		}
		_, err := Load(with(more...), NeedAll)
		wantProblem(t, c.name, err, c.setting, c.want)
		if err != nil && strings.Contains(err.Error(), userKey) {
			t.Errorf("%s: the error quotes a secret", c.name)
		}
	}
}

func TestLoad_GoodValues(t *testing.T) {
	t.Parallel()
	cert, key := selfSigned(t, time.Hour)
	for name, environ := range map[string][]string{
		"TLS of the system's authorities": {"KAFKA_TLS=true"},
		"TLS with everything":             {"KAFKA_TLS=true", "KAFKA_TLS_CA=" + cert, "KAFKA_TLS_CERT=" + cert, "KAFKA_TLS_KEY=" + key},
		"login inside TLS":                {"KAFKA_TLS=true", "KAFKA_SASL_MECHANISM=scram-sha-256", "KAFKA_SASL_USER=u", "KAFKA_SASL_PASSWORD=p"},
		"login on this machine":           {"KAFKA_BROKERS=127.0.0.1:9092,[::1]:9092,localhost:9092", "KAFKA_SASL_MECHANISM=PLAIN", "KAFKA_SASL_USER=u", "KAFKA_SASL_PASSWORD=p"},
		"certificate of the bridge":       {"PUBLIC_TLS_CERT=" + cert, "PUBLIC_TLS_KEY=" + key},
		"the simulator":                   {"FINAPI_ACCESS_URL=http://127.0.0.1:8081", "FINAPI_WEBFORM_URL=http://localhost:8081/"},
		"redirect with path and query":    {"FINAPI_REDIRECT_URL=https://app.example.com/done?from=bank"},
		"another port for callbacks":      {"CALLBACK_BASE_URL=https://bridge.bankimport.test:8443"},
		"two keys":                        {"CALLBACK_KEYS=" + callback.GenerateKey("new") + "," + callback.GenerateKey("old")},
		"form hosts":                      {"FINAPI_FORM_HOSTS=forms.example.com,127.0.0.1:8081"},
		"any port":                        {"ADMIN_ADDR=:0", "PUBLIC_ADDR=[::1]:8443"},
		"no distance between commits":     {"COMMIT_INTERVAL=0"},
	} {
		var more []string
		for _, v := range environ {
			more = append(more, Prefix+v)
		}
		c, err := Load(with(more...), NeedAll)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if _, err := c.Kafka.Connect(); err != nil {
			t.Errorf("%s: connect: %v", name, err)
		}
		if _, err := c.Public.TLS(); err != nil {
			t.Errorf("%s: TLS: %v", name, err)
		}
		if _, err := c.Sealer(); err != nil {
			t.Errorf("%s: sealer: %v", name, err)
		}
	}
}

func TestSettings_AreDescribed(t *testing.T) {
	t.Parallel()
	var names []string
	for _, s := range Settings() {
		if s.Description == "" {
			t.Errorf("%s has no description", s.Name)
		}
		if slices.Contains(names, s.Name) || strings.HasSuffix(s.Name, fileSuffix) {
			t.Errorf("%s is there twice, or looks like a file's name", s.Name)
		}
		if s.required && s.use == 0 {
			t.Errorf("%s is required by nobody", s.Name)
		}
		if (s.min == "") != (s.max == "") {
			t.Errorf("%s has one bound", s.Name)
		}
		names = append(names, s.Name)
	}
}

func selfSigned(t *testing.T, life time.Duration) (cert, key string) {
	t.Helper()
	c, err := selfsigned.New(life, "bridge.example.com")
	if err != nil {
		t.Fatal(err)
	}
	return string(c.PEM), string(c.KeyPEM)
}
