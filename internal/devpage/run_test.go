package devpage

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/localkafka"
	"github.com/bankimport/bankimport/schemas"
)

// world is a page as dev runs it: with a Kafka, on a real server.
type world struct {
	t    *testing.T
	ctx  context.Context
	cl   *kgo.Client
	page *Page
	url  string
	http *http.Client
	stop func() error // ends the page and waits for it
}

func newWorld(t *testing.T) *world {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	t.Cleanup(cancel)
	k, err := localkafka.Start(localkafka.Config{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(k.Close)
	w := &world{t: t, ctx: ctx}
	if w.cl, err = kgo.NewClient(kgo.SeedBrokers(k.Addr())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.cl.Close)
	w.page = New(Config{
		Kafka: []kgo.Opt{kgo.SeedBrokers(k.Addr())}, Prefix: "dev.", Banks: []Bank{{280001, "finAPI Test Bank"}},
		Publish: func(_ context.Context, e schemas.Event) error { return w.publish(e) },
	})
	srv := httptest.NewServer(w.page)
	t.Cleanup(srv.Close)
	w.url, w.http = srv.URL, srv.Client()
	return w
}

// run lets the page read.
func (w *world) run() {
	ctx, cancel := context.WithCancel(w.ctx)
	ended := make(chan error, 1)
	go func() { ended <- w.page.Run(ctx) }()
	var err error
	stopped := false
	w.stop = func() error {
		if cancel(); !stopped {
			err, stopped = <-ended, true
		}
		return err
	}
	w.t.Cleanup(func() { _ = w.stop() })
}

func (w *world) createTopics() {
	w.t.Helper()
	for _, topic := range shownTopics() {
		if r, err := kadm.NewClient(w.cl).CreateTopic(w.ctx, 2, 1, nil, "dev."+topic); err != nil || r.Err != nil {
			w.t.Fatal(err, r.Err)
		}
	}
}

func (w *world) publish(e schemas.Event) error {
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "test", Time: time.Now()})
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: "dev." + e.Topic(), Key: []byte(e.Key()), Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: h.Value})
	}
	return w.cl.ProduceSync(w.ctx, r).FirstErr()
}

func (w *world) do(r *http.Request, err error) *http.Response {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
	res, err := w.http.Do(r)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { res.Body.Close() })
	return res
}

func (w *world) text(path string) string {
	w.t.Helper()
	res := w.do(http.NewRequestWithContext(w.ctx, http.MethodGet, w.url+path, nil))
	body, err := io.ReadAll(res.Body)
	if err != nil {
		w.t.Fatal(err)
	}
	p := parse(w.t, string(body))
	return p.text(p.root)
}

// watch opens the live stream of a page.
func (w *world) watch(path string) *bufio.Reader {
	w.t.Helper()
	res := w.do(http.NewRequestWithContext(w.ctx, http.MethodGet, w.url+path, nil))
	if res.StatusCode != http.StatusOK {
		w.t.Fatalf("%s: got status %d", path, res.StatusCode)
	}
	return bufio.NewReader(res.Body)
}

// until refreshes a page at each change that its stream tells, as the script
// does, until it says something.
func (w *world) until(live *bufio.Reader, path, want string) {
	w.t.Helper()
	for {
		line, err := live.ReadString('\n')
		if err != nil {
			w.t.Fatalf("the stream of %s ended (%v) before the page said %q; it says: %s", path, err, want, w.text(path))
		}
		if line == "event: change\n" && strings.Contains(w.text(path), want) {
			return
		}
	}
}

// TestRun: from the start form to the end of an import, as a browser sees it.
func TestRun(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.createTopics()
	before := schemas.ImportFailed{ImportID: sampleFailed, Run: 1, UserID: "u3", Reason: schemas.ReasonUserAborted, Retryable: true, FailedAt: schemas.At(time.Now())}
	if err := w.publish(before); err != nil {
		t.Fatal(err)
	}
	w.run()
	list := w.watch("/events")
	w.until(list, "/", "user aborted")

	form := strings.NewReader("user=u1&bank=280001")
	r, err := http.NewRequestWithContext(w.ctx, http.MethodPost, w.url+"/imports", form)
	if err == nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		r.Header.Set("Origin", w.url)
	}
	path := w.do(r, err).Request.URL.Path // where it led to
	id, ok := strings.CutPrefix(path, "/imports/")
	if !ok || !validID(id) {
		t.Fatalf("the form led to %q", path)
	}
	one := w.watch(path + "/events")
	w.until(one, path, "1 event, oldest first.")

	tp := newTape()
	st := tp.tell(id, "u1", time.Now()).formOpen()
	tell := func(want string) {
		t.Helper()
		for _, rec := range tp.recs {
			if err := w.publish(rec.Event); err != nil {
				t.Fatal(err)
			}
		}
		tp.recs = nil
		w.until(one, path, want)
	}
	tell("Open the web form")
	st.downloading()
	tell("Waiting for the bank")
	st.completed(sampleAccounts(), false)
	tell("3 accounts · 2,418 transactions")
	w.until(list, "/", "3 accounts · 2,418 transactions")
	if got := w.text("/"); strings.Contains(got, "Still reading") || strings.Contains(got, "cannot be read") {
		t.Errorf("the page says it is not up to date: %s", got)
	}

	if err := w.stop(); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if _, err := io.Copy(io.Discard, one); err != nil {
		t.Errorf("the stream broke off (%v), want an orderly end", err)
	}
	if got := w.text(path); !strings.Contains(got, "3 accounts") {
		t.Errorf("after the end the page says: %s", got)
	}
}

// TestRun_TriesAgain: without topics the page says that it cannot read, and
// reads as soon as it can.
func TestRun_TriesAgain(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	if got := w.text("/"); !strings.Contains(got, "Still reading") {
		t.Errorf("before Run the page says: %s", got)
	}
	list := w.watch("/events")
	w.run()
	w.until(list, "/", "Kafka cannot be read at the moment")
	w.createTopics()
	if err := w.publish(schemas.ImportFailed{ImportID: sampleFailed, Run: 1, Reason: schemas.ReasonUserAborted, FailedAt: schemas.At(time.Now())}); err != nil {
		t.Fatal(err)
	}
	w.until(list, "/", "user aborted")
	for strings.Contains(w.text("/"), "cannot be read") {
		w.until(list, "/", "Imports")
	}
	if err := w.stop(); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
}

func TestRun_EndsWhileKafkaIsAway(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	list := w.watch("/events")
	w.run()
	w.until(list, "/", "Kafka cannot be read at the moment")
	if err := w.stop(); err != nil {
		t.Errorf("Run: got %v, want nil", err)
	}
	if _, err := io.Copy(io.Discard, list); err != nil {
		t.Errorf("the stream broke off (%v), want an orderly end", err)
	}
}
