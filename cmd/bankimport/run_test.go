package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/internal/selfsigned"
	"github.com/bankimport/bankimport/internal/simulator"
	"github.com/bankimport/bankimport/internal/simulator/player"
)

// TestRun runs every part as in production, against a Kafka and a provider that
// are the test's: an import goes through, the log says nothing secret although
// it says all it can, and an interrupt ends it well.
func TestRun(t *testing.T) {
	t.Parallel()
	kafka, err := localkafka.Start(localkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kafka.Close)
	addrs, err := freeport.Addrs(1)
	if err != nil {
		t.Fatal(err)
	}
	public := addrs[0]
	provider := startProvider(t, public)
	callbackKey := callback.GenerateKey("k1")

	environ := append(complete(t,
		"KAFKA_BROKERS="+kafka.Addr(), "FINAPI_ACCESS_URL="+provider.url, "FINAPI_WEBFORM_URL="+provider.url,
		"CALLBACK_KEYS="+callbackKey, "PUBLIC_ADDR="+public,
		"PUBLIC_TLS_CERT_FILE="+provider.certFile, "PUBLIC_TLS_KEY_FILE="+provider.keyFile,
		"LOG_LEVEL=debug", "LOG_FORMAT=json", "PARTITIONS=2",
	), quick()...)
	call(t, environ, "topics", "apply").check(t, exitOK)
	service := start(t, environ, "run")
	admin := service.stderr.await(t, `"msg":"starting".*"admin":"(127\.0\.0\.1:\d+)"`)

	im := start(t, environ, "import", "--user", "u", "--bank", "280001", "--wait")
	form := im.stderr.await(t, `^open this form .*: (http\S+)$`)
	play(t, player.Play, form)
	got := im.end(t)
	got.check(t, exitOK)
	if !strings.Contains(got.stdout, "4 accounts, 1,612 transactions, all reconciled") {
		t.Errorf("got stdout %q", got.stdout)
	}
	for _, path := range []string{"/livez", "/readyz"} {
		r, err := http.Get("http://" + admin + path)
		if err != nil {
			t.Fatal(err)
		}
		r.Body.Close()
		if r.StatusCode != http.StatusOK {
			t.Errorf("%s: got status %d", path, r.StatusCode)
		}
	}

	ended := service.interrupt(t)
	ended.check(t, exitOK, `"msg":"stopped"`)
	_, callbackSecret, _ := strings.Cut(callbackKey, ":")
	secrets := append(provider.secrets(), testClientSecret, testUserKey, testAccountKey, callbackSecret, form[strings.LastIndex(form, "/"):])
	if len(secrets) < 5+3 { // at least two tokens and a callback URL
		t.Errorf("only %d secrets are known", len(secrets))
	}
	log := ended.stdout + ended.stderr
	for _, s := range secrets {
		if strings.Contains(log, s) || strings.Contains(got.stderr+got.stdout, s) && !strings.HasSuffix(form, s) {
			t.Errorf("%.8s… is in the log", s)
		}
	}
	if t.Failed() {
		t.Log(secrets)
	}
}

// provider is the simulator, and what it was told that nobody else may know.
type provider struct {
	url, certFile, keyFile string

	mu   sync.Mutex
	seen map[string]bool // guarded by mu
}

func startProvider(t *testing.T, public string) *provider {
	t.Helper()
	const host = "bridge.bankimport.test"
	cert, err := selfsigned.New(selfsigned.Life, host)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &provider{certFile: filepath.Join(dir, "tls.crt"), keyFile: filepath.Join(dir, "tls.key"), seen: map[string]bool{}}
	for name, text := range map[string][]byte{p.certFile: cert.PEM, p.keyFile: cert.KeyPEM} {
		if err := os.WriteFile(name, text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	server := httptest.NewUnstartedServer(nil)
	p.url = "http://" + server.Listener.Addr().String()
	sim, err := simulator.New(simulator.Config{
		BaseURL: p.url, ClientID: "client", ClientSecret: testClientSecret,
		DownloadTime: -1, CategorizationTime: -1,
		CallbackDial: map[string]string{host: public}, CallbackCA: cert.Trusted,
	})
	if err != nil {
		t.Fatal(err)
	}
	server.Config.Handler = p.listening(sim)
	server.Start()
	t.Cleanup(func() {
		if err := sim.Close(); err != nil {
			t.Error(err)
		}
		server.Close()
	})
	return p
}

// listening notes tokens, passwords and callback URLs.
func (p *provider) listening(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, token, ok := strings.Cut(r.Header.Get("Authorization"), "Bearer "); ok {
			p.note(token)
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		var told struct {
			Password  string
			Callbacks struct{ Finalised string }
		}
		if json.Unmarshal(body, &told) == nil {
			p.note(told.Password)
			p.note(told.Callbacks.Finalised[strings.LastIndex(told.Callbacks.Finalised, "/")+1:])
		}
		next.ServeHTTP(w, r)
	})
}

func (p *provider) note(secret string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if secret != "" {
		p.seen[secret] = true
	}
}

func (p *provider) secrets() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var all []string
	for s := range p.seen {
		all = append(all, s)
	}
	return all
}

// TestSimulator runs the provider alone until it is interrupted.
func TestSimulator(t *testing.T) {
	t.Parallel()
	sim := start(t, nil, "simulator", "--addr", "127.0.0.1:0", "--bank", "300001:2x3", "--callback-dial", "a.example=127.0.0.1:1")
	url := sim.stderr.await(t, `^simulated provider at (http://127\.0\.0\.1:\d+) \(client dev\)`)
	r, err := http.Get(url + "/")
	if err != nil {
		t.Fatal(err)
	}
	r.Body.Close()
	if r.StatusCode != http.StatusOK {
		t.Errorf("got status %d of its front page", r.StatusCode)
	}
	sim.interrupt(t).check(t, exitOK)
}
