package bridge

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/callback"
)

const importID = "7f3a0c1e-5b1d-4c62-8e0f-0a1b2c3d91c2"

var (
	goodBody = `{"webFormId":"` + formID + `","status":"COMPLETED"}`
	origin   = time.Date(2026, 11, 24, 8, 0, 0, 0, time.UTC)
)

// recorder is a writer that keeps what it is given, and says err.
type recorder struct {
	mu       sync.Mutex
	messages []kafka.Message
	err      error
}

func (r *recorder) WriteMessages(_ context.Context, messages ...kafka.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err == nil {
		r.messages = append(r.messages, messages...)
	}
	return r.err
}

func (r *recorder) count() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.messages)
}

func sealer(t testing.TB, environment, list string) *callback.Sealer {
	t.Helper()
	keys, err := callback.ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := callback.New(keys, environment)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *callback.Sealer, expires time.Time) string {
	t.Helper()
	token, err := s.Seal(callback.Token{ImportID: importID, Run: 2, Expires: expires})
	if err != nil {
		t.Fatal(err)
	}
	return token
}

// fixture is a bridge with everything around it.
type fixture struct {
	*Bridge
	writer *recorder
	reg    *prometheus.Registry
	log    *bytes.Buffer
	sealer *callback.Sealer
	token  string
}

func newFixture(t testing.TB, c Config) *fixture {
	t.Helper()
	f := &fixture{writer: &recorder{}, reg: prometheus.NewRegistry(), log: new(bytes.Buffer), sealer: sealer(t, "", callback.GenerateKey("k1"))}
	f.token = seal(t, f.sealer, time.Now().Add(time.Hour))
	if c.Writer == nil {
		c.Writer = f.writer
	}
	if c.Opener == nil {
		c.Opener = f.sealer
	}
	c.Metrics, c.Logger = f.reg, slog.New(slog.NewJSONHandler(&lockedWriter{w: f.log}, &slog.HandlerOptions{Level: slog.LevelDebug}))
	b, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(context.Background()) })
	f.Bridge = b
	return f
}

type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(b)
}

func (f *fixture) do(r *http.Request) *httptest.ResponseRecorder {
	w := httptest.NewRecorder()
	f.ServeHTTP(w, r)
	return w
}

func (f *fixture) counted(t *testing.T, o outcome) float64 {
	t.Helper()
	return testutil.ToFloat64(f.metrics.total[o])
}

// unread is a body that must not be read.
type unread struct{ t *testing.T }

func (u unread) Read([]byte) (int, error) {
	u.t.Error("the body was read")
	return 0, io.EOF
}

func TestBridge_PublishesTheHint(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Now: func() time.Time { return origin }})
	token := seal(t, f.sealer, origin.Add(time.Hour))
	w := f.do(httptest.NewRequest(http.MethodPost, Path+token, strings.NewReader(goodBody)))
	if w.Code != http.StatusOK || w.Body.Len() != 0 {
		t.Fatalf("got %d %q, want 200 and nothing", w.Code, w.Body)
	}
	if f.writer.count() != 1 {
		t.Fatalf("got %d records, want 1", f.writer.count())
	}
	m := f.writer.messages[0]
	want := `{"import_id":"` + importID + `","run":2,"form_id":"` + formID + `","ended_by":"callback","told_status":"COMPLETED","observed_at":"2026-11-24T08:00:00.000Z"}`
	if string(m.Key) != importID || string(m.Value) != want || !m.Time.Equal(origin) {
		t.Errorf("got key %s, value\n%s\nat %s; want key %s, value\n%s\nat %s", m.Key, m.Value, m.Time, importID, want, origin)
	}
	headers := make(map[string]string)
	for _, h := range m.Headers {
		headers[h.Key] = string(h.Value)
	}
	for key, want := range map[string]string{
		"ce_specversion": "1.0", "ce_type": "bankimport.webform-completed.v1", "ce_source": "/bankimport/bridge",
		"ce_subject": importID, "ce_time": "2026-11-24T08:00:00.000Z", "content-type": "application/json",
	} {
		if headers[key] != want {
			t.Errorf("header %s: got %q, want %q", key, headers[key], want)
		}
	}
	if headers["ce_id"] == "" || headers["ce_causationid"] != "" {
		t.Errorf("got headers %v, want an id and no cause", headers)
	}
}

func TestBridge_RefusesBeforeTheBody(t *testing.T) {
	t.Parallel()
	key := callback.GenerateKey("k1")
	f := newFixture(t, Config{Opener: sealer(t, "prod", key)})
	now := time.Now()
	valid := seal(t, sealer(t, "prod", key), now.Add(time.Hour))
	flip := func(i int) string {
		b := []byte(valid)
		if b[i] == 'A' {
			b[i] = 'B'
		} else {
			b[i] = 'A'
		}
		return string(b)
	}

	var first *httptest.ResponseRecorder
	for name, path := range map[string]string{
		"B2 no token":               Path,
		"B3 nothing before":         "/" + valid,
		"B3 dots":                   "/callbacks/finapi/../finapi/" + valid,
		"B3 encoded dots":           "/callbacks/finapi/%2e%2e/finapi/" + valid,
		"B3 NUL":                    Path + "%00" + valid[1:],
		"B3 doubled slash":          "/callbacks//finapi/" + valid,
		"B3 slash at the end":       Path + valid + "/",
		"B3 slash inside":           Path + valid[:40] + "/" + valid[41:],
		"B3 slash inside, encoded":  Path + valid[:40] + "%2F" + valid[41:],
		"a letter encoded":          Path + "%" + "41" + valid[1:],
		"another provider":          "/callbacks/other/" + valid,
		"upper case":                "/Callbacks/finapi/" + valid,
		"B4 padding":                Path + valid + "=",
		"B4 line break":             Path + valid[:79] + "%0A",
		"B4 10 kB":                  Path + strings.Repeat("A", 10_000),
		"B5 first letter":           Path + flip(0),
		"B5 key id":                 Path + flip(3),
		"B5 last letter":            Path + flip(79),
		"B6 cut":                    Path + valid[:79],
		"B7 another environment":    Path + seal(t, sealer(t, "test", key), now.Add(time.Hour)),
		"B8 expired":                Path + seal(t, sealer(t, "prod", key), now.Add(-time.Second)),
		"B9 unknown key":            Path + seal(t, sealer(t, "prod", callback.GenerateKey("k2")), now.Add(time.Hour)),
		"B9 other key, same id":     Path + seal(t, sealer(t, "prod", callback.GenerateKey("k1")), now.Add(time.Hour)),
		"B40 a query that is token": Path + "?" + valid,
		"front page":                "/",
	} {
		w := f.do(httptest.NewRequest(http.MethodPost, path, unread{t}))
		if w.Code != http.StatusNotFound {
			t.Errorf("%s: got %d, want 404", name, w.Code)
		}
		if first == nil {
			first = w
		}
		if w.Body.String() != first.Body.String() || len(w.Header()) != len(first.Header()) || w.Header().Get("Connection") != "close" {
			t.Errorf("%s: got %v %q, want what the others got: %v %q", name, w.Header(), w.Body, first.Header(), first.Body)
		}
	}
	if w := f.do(httptest.NewRequest(http.MethodPost, Path+valid+"?x="+strings.Repeat("y", 5000), strings.NewReader(goodBody))); w.Code != http.StatusOK {
		t.Errorf("B40 a query behind: got %d, want it ignored", w.Code)
	}
	if f.writer.count() != 1 {
		t.Errorf("got %d records, want only that of the last request", f.writer.count())
	}
}

func TestBridge_Methods(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	for _, method := range []string{"GET", "PUT", "HEAD", "OPTIONS", "TRACE", "DELETE", "PATCH", "CONNECT", "post", "BREW"} {
		for _, token := range []string{f.token, "bad"} {
			r := httptest.NewRequest(http.MethodPost, Path+token, unread{t})
			r.Method = method
			w := f.do(r)
			if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != "POST" {
				t.Errorf("%s: got %d, Allow %q; want 405, POST", method, w.Code, w.Header().Get("Allow"))
			}
		}
	}
	if f.writer.count() != 0 {
		t.Errorf("got %d records, want none", f.writer.count())
	}
}

// brokenBody ends with an error.
type brokenBody struct {
	io.Reader
	err error
}

func (b brokenBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = b.err
	}
	return n, err
}

func TestBridge_Bodies(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name   string
		body   io.Reader
		length int64 // -1: not announced
		want   int
		form   bool
	}{
		{"good", strings.NewReader(goodBody), -1, 200, true},
		{"empty", strings.NewReader(""), 0, 200, false},
		{"none", http.NoBody, 0, 200, false},
		{"unreadable", strings.NewReader("<html>"), -1, 200, false},
		{"4,096 bytes", strings.NewReader(goodBody + strings.Repeat(" ", maxBody-len(goodBody))), -1, 200, true},
		{"4,097 bytes", strings.NewReader(goodBody + strings.Repeat(" ", maxBody-len(goodBody)+1)), -1, 413, false},
		{"endless", endless{}, -1, 413, false},
		{"10 GiB announced", unread{t}, 10 << 30, 413, false},
		{"broken off", brokenBody{strings.NewReader(goodBody[:20]), io.ErrUnexpectedEOF}, 200, 200, false},
		{"too slow", brokenBody{strings.NewReader(goodBody), errors.New("i/o timeout")}, 200, 200, false},
	} {
		f := newFixture(t, Config{})
		r := httptest.NewRequest(http.MethodPost, Path+f.token, c.body)
		r.ContentLength = c.length
		w := f.do(r)
		if w.Code != c.want {
			t.Errorf("%s: got %d, want %d", c.name, w.Code, c.want)
		}
		if want := min(1, 200/c.want); f.writer.count() != want {
			t.Errorf("%s: got %d records, want %d", c.name, f.writer.count(), want)
			continue
		}
		if c.want == 200 && strings.Contains(string(f.writer.messages[0].Value), formID) != c.form {
			t.Errorf("%s: got %s, want the form in it: %t", c.name, f.writer.messages[0].Value, c.form)
		}
		if got := testutil.ToFloat64(f.metrics.withoutForm) == 1; c.want == 200 && got == c.form {
			t.Errorf("%s: counted as without form: %t", c.name, got)
		}
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

func TestBridge_KafkaAway(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	f.writer.err = errKafka
	post := func() int {
		return f.do(httptest.NewRequest(http.MethodPost, Path+f.token, strings.NewReader(goodBody))).Code
	}
	if got := post(); got != http.StatusServiceUnavailable {
		t.Errorf("without Kafka: got %d, want 503", got)
	}
	f.writer.err = nil
	if got := post(); got != http.StatusOK {
		t.Errorf("with Kafka again: got %d, want 200", got)
	}
	if got := post(); got != http.StatusOK {
		t.Errorf("a repeat: got %d, want 200", got)
	}
	if f.writer.count() != 1 {
		t.Errorf("got %d records, want 1", f.writer.count())
	}
	for o, want := range map[outcome]float64{outcomeUnavailable: 1, outcomePublished: 1, outcomeRepeated: 1} {
		if got := f.counted(t, o); got != want {
			t.Errorf("outcome %s: got %v, want %v", o, got, want)
		}
	}
}

func TestBridge_Overloaded(t *testing.T) {
	t.Parallel()
	release, inside := make(chan struct{}), make(chan struct{})
	f := newFixture(t, Config{MaxRequests: 1, Writer: &writerFunc{write: func(context.Context) error {
		close(inside)
		<-release
		return nil
	}}})
	var wg sync.WaitGroup
	wg.Go(func() {
		if w := f.do(httptest.NewRequest(http.MethodPost, Path+f.token, strings.NewReader(goodBody))); w.Code != http.StatusOK {
			t.Errorf("the first: got %d, want 200", w.Code)
		}
	})
	<-inside
	if w := f.do(httptest.NewRequest(http.MethodPost, Path+f.token, unread{t})); w.Code != http.StatusServiceUnavailable {
		t.Errorf("the second: got %d, want 503", w.Code)
	}
	if w := f.do(httptest.NewRequest(http.MethodPost, Path+"bad", unread{t})); w.Code != http.StatusNotFound {
		t.Errorf("a bad token takes no room: got %d, want 404", w.Code)
	}
	close(release)
	wg.Wait()
	if got := f.counted(t, outcomeOverloaded); got != 1 {
		t.Errorf("got %v overloaded, want 1", got)
	}
}

func TestBridge_PanicIsNotLogged(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{Opener: openerFunc(func(token string, _ time.Time) (callback.Token, error) { panic("with " + token) })})
	if w := f.do(httptest.NewRequest(http.MethodPost, Path+f.token, strings.NewReader(goodBody))); w.Code != http.StatusInternalServerError {
		t.Errorf("got %d, want 500", w.Code)
	}
	if f.counted(t, outcomePanic) != 1 || strings.Contains(f.log.String(), f.token) {
		t.Errorf("got the log %s and %v panics, want one and no token", f.log, f.counted(t, outcomePanic))
	}
}

type openerFunc func(token string, now time.Time) (callback.Token, error)

func (o openerFunc) Open(token string, now time.Time) (callback.Token, error) { return o(token, now) }

// Nothing of a request but its import id may be in a log or a metric.
func TestBridge_LeaksNothing(t *testing.T) {
	t.Parallel()
	const canary = "DE02120300000000202051"
	f := newFixture(t, Config{})
	other := seal(t, sealer(t, "", callback.GenerateKey("k2")), time.Now().Add(time.Hour))
	body := `{"webFormId":"` + canary + `","status":"` + canary + `","payload":"` + canary + `"}`
	for _, path := range []string{Path + f.token, Path + other, "/" + canary, Path + f.token + "?" + canary} {
		r := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
		r.Header.Set("X-Forwarded-For", canary)
		r.Header.Set("User-Agent", canary)
		f.do(r)
	}
	f.writer.err = errKafka
	f.do(httptest.NewRequest(http.MethodPost, Path+f.token, strings.NewReader(goodBody)))

	families, err := f.reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	out.WriteString(f.log.String())
	for _, family := range families {
		out.WriteString(family.String())
	}
	for _, hidden := range []string{canary, f.token, other, "COMPLETED", "/callbacks/finapi/" + f.token[:8]} {
		if strings.Contains(out.String(), hidden) {
			t.Errorf("%q is in the log or the metrics:\n%s", hidden, out.String())
		}
	}
	for _, want := range []string{importID, `"route":"POST /callbacks/finapi/{token}"`, "kafka_unavailable"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("%q is not in the log:\n%s", want, out.String())
		}
	}
}

func TestBridge_Metrics(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	problems, err := testutil.GatherAndLint(f.reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("lint: %v %v", problems, err)
	}
	if n, err := testutil.GatherAndCount(f.reg, "bankimport_callbacks_total"); err != nil || n != len(outcomes()) {
		t.Errorf("got %d outcomes before the first request, %v; want %d", n, err, len(outcomes()))
	}
	if _, err := New(Config{Opener: f.sealer, Writer: f.writer, Metrics: f.reg}); err == nil {
		t.Error("a second bridge on one registry: got no error")
	}
}

func TestNew_Validates(t *testing.T) {
	t.Parallel()
	_, err := New(Config{RequestTimeout: -1, MaxConnections: -1})
	for _, want := range []string{"open callback tokens", "writer", "RequestTimeout", "MaxConnections"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want it to name %s", err, want)
		}
	}
}

func BenchmarkBridge_Forged(b *testing.B) {
	f := newFixture(b, Config{})
	forged := seal(b, sealer(b, "", callback.GenerateKey("k1")), time.Now().Add(time.Hour))
	b.ReportAllocs()
	for b.Loop() {
		r := httptest.NewRequest(http.MethodPost, Path+forged, strings.NewReader(goodBody))
		f.ServeHTTP(httptest.NewRecorder(), r)
	}
}
