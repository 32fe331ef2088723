package finapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestConfigValidate(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*Config)
		want   []string // parts of the error; empty: valid
	}{
		"good":               {func(*Config) {}, nil},
		"loopback":           {func(c *Config) { c.AccessURL, c.WebFormURL = "http://127.0.0.1:8081/", "http://localhost:8081" }, nil},
		"loopback, IPv6":     {func(c *Config) { c.AccessURL = "http://[::1]:8081" }, nil},
		"with a path":        {func(c *Config) { c.AccessURL = "https://gateway.example.test/finapi/" }, nil},
		"licensed":           {func(c *Config) { c.RedirectURL = "https://app.example.test/done" }, nil},
		"nothing":            {func(c *Config) { *c = Config{} }, []string{"FINAPI_ACCESS_URL", "FINAPI_WEBFORM_URL", "FINAPI_CLIENT_ID", "FINAPI_CLIENT_SECRET", "USER_KEY"}},
		"plain http":         {func(c *Config) { c.AccessURL = "http://sandbox.finapi.io" }, []string{"FINAPI_ACCESS_URL", "https://"}},
		"no scheme":          {func(c *Config) { c.WebFormURL = "webform-sandbox.finapi.io" }, []string{"FINAPI_WEBFORM_URL", "absolute"}},
		"other scheme":       {func(c *Config) { c.WebFormURL = "ftp://x.test" }, []string{"FINAPI_WEBFORM_URL"}},
		"user in the URL":    {func(c *Config) { c.AccessURL = "https://u:canary@x.test" }, []string{"FINAPI_ACCESS_URL"}},
		"query":              {func(c *Config) { c.AccessURL = "https://x.test/?a=b" }, []string{"query"}},
		"short key":          {func(c *Config) { c.UserKey = "canary" }, []string{"USER_KEY", "6 characters"}},
		"redirect http":      {func(c *Config) { c.RedirectURL = "http://x.test" }, []string{"FINAPI_REDIRECT_URL"}},
		"redirect localhost": {func(c *Config) { c.RedirectURL = "https://localhost" }, []string{"FINAPI_REDIRECT_URL"}},
		"redirect long":      {func(c *Config) { c.RedirectURL = "https://x.test/" + strings.Repeat("x", 2048) }, []string{"FINAPI_REDIRECT_URL"}},
		"negatives":          {func(c *Config) { c.MaxConcurrent, c.RequestTimeout, c.MaxUsers, c.Patience = -1, -1, -1, -1 }, []string{"concurrent", "timeout", "users", "patience"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := testConfig()
			test.change(&config)
			_, err := New(config)
			if len(test.want) == 0 {
				if err != nil {
					t.Fatalf("got %v, want it valid", err)
				}
				return
			}
			if err == nil {
				t.Fatal("got a client, want an error")
			}
			for _, want := range test.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want it to name %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "canary") {
				t.Errorf("the error quotes a secret: %q", err)
			}
		})
	}
}

func TestBasePath(t *testing.T) {
	t.Parallel()
	p := newProvider()
	var called []string
	c := newClient(t, func() Config {
		config := testConfig()
		config.AccessURL = "https://gateway.example.test/finapi/"
		config.WebFormURL = "https://form.example.test/forms"
		config.Transport = transportFunc(func(r *http.Request) (*http.Response, error) {
			called = append(called, r.URL.Host+r.URL.Path)
			r.URL.Path = r.URL.Path[strings.Index(r.URL.Path, "/api/"):]
			return p.RoundTrip(r)
		})
		return config
	}())
	if err := readForm(t.Context(), c, c.User("u")); err != nil {
		t.Fatal(err)
	}
	want := []string{"gateway.example.test/finapi/api/v2/oauth/token", "form.example.test/forms/api/webForms/" + testFormID}
	if !slices.Equal(called, want) {
		t.Errorf("got %q, want %q", called, want)
	}
}

func TestSecretsAreNotPrinted(t *testing.T) {
	t.Parallel()
	p := newProvider()
	config := testConfig()
	config.Transport = p
	c := newClient(t, config)
	user := c.User("u")
	if err := readForm(t.Context(), c, user); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	secret := Secret("canary-secret")
	for _, v := range []any{secret, &secret, []Secret{secret}, map[string]Secret{"k": secret}, struct{ S Secret }{secret}, config, c, struct{ c *Client }{c}, user} {
		for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x"} {
			fmt.Fprintf(&out, verb, v)
		}
		_ = json.NewEncoder(&out).Encode(v) // not all of them can be
		for _, h := range []slog.Handler{slog.NewTextHandler(&out, nil), slog.NewJSONHandler(&out, nil)} {
			slog.New(h).Info("x", "v", v)
		}
	}
	for _, canary := range []string{"canary-secret", fmt.Sprintf("%x", "canary-secret"), testSecret, testUserKey, "token-1", "refresh-1", c.password(user).Reveal()} {
		if strings.Contains(out.String(), canary) {
			t.Errorf("%q was printed", canary)
		}
	}
	if secret.Reveal() != "canary-secret" {
		t.Errorf("got %q revealed", secret.Reveal())
	}
}

func TestMetricsAreBoundedAndThereAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, testMetrics)
}

func testMetrics(t *testing.T) {
	registry := prometheus.NewRegistry()
	p := newProvider()
	c := p.client(t, func(config *Config) { config.Metrics = registry })
	series := func() (n int) {
		t.Helper()
		families, err := registry.Gather()
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range families {
			if !strings.HasPrefix(f.GetName(), "bankimport_provider_") {
				t.Errorf("got metric %s, want the product's prefix", f.GetName())
			}
			n += len(f.GetMetric())
		}
		return n
	}
	before := series()
	for _, status := range []int{200, 201, 204, 302, 400, 401, 403, 404, 418, 422, 423, 429, 500, 501, 503, 599} {
		for _, op := range callNames() {
			p.on(op, answer(status, accessError("X")))
			_ = calls(c, c.User("u"))[op](t.Context())
			time.Sleep(time.Minute)
		}
	}
	if after := series(); after != before {
		t.Errorf("got %d series after all kinds of answers, want the %d of the start", after, before)
	}
	problems, err := lint(registry)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if _, err := New(Config{AccessURL: "https://a.test", WebFormURL: "https://b.test", ClientID: "i", ClientSecret: "s", UserKey: testUserKey, Metrics: registry}); err == nil {
		t.Error("got a second client on the same registry, want an error: there should be one per process")
	}
}

func lint(g prometheus.Gatherer) (problems []string, err error) {
	found, err := testutil.GatherAndLint(g)
	for _, p := range found {
		problems = append(problems, p.Metric+": "+p.Text)
	}
	return problems, err
}
