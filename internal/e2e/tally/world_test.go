//go:build realkafka

package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/e2e/judge"
	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
	"github.com/bankimport/bankimport/pipeline"
)

const (
	partitions = 6
	inFlight   = 200

	sessionTimeout     = 3 * time.Second
	transactionTimeout = 2 * time.Second
	drainTimeout       = time.Second
)

// executable is the tally with fail points, and what may be weakened. One is built
// for all tests.
var executable = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "bankimport-tally-")
	if err != nil {
		return "", err
	}
	path := filepath.Join(dir, "tally")
	out, err := exec.Command("go", "build", "-tags=failpoints", "-o", path, ".").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build the tally: %w\n%s", err, out)
	}
	return path, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if path, err := executable(); err == nil {
		os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

// broker is a real one behind a proxy. Worlds share it and differ in their
// prefix: starting one takes seconds.
type broker struct {
	*realkafka.Broker
	proxy *proxy
}

func startBroker(t *testing.T) *broker {
	t.Helper()
	addrs, err := freeport.Addrs(1)
	if err != nil {
		t.Fatal(err)
	}
	p := newProxy(t, addrs[0])
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	b, err := realkafka.Start(ctx, realkafka.Config{
		Dir: realkafka.DirForTest(t), Addr: addrs[0],
		Properties: map[string]string{"advertised.listeners": "PLAINTEXT://" + p.addr()},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := b.Kill(); err != nil { // a graceful stop takes seconds, and proves nothing here
			t.Error(err)
		}
	})
	return &broker{b, p}
}

// world is a cluster's topics, the world outside and what the judge has read.
type world struct {
	*testing.T
	ctx    context.Context
	broker *broker
	prefix string
	dir    string // of logs
	feeder *kgo.Client
	admin  *kadm.Client
	log    *judge.Log
	rng    *rand.Rand

	outside *httptest.Server
	mu      sync.Mutex
	slow    func(key, what string) time.Duration // of a call; nil: at once
	closed  map[string]chan struct{}             // by key: calls wait until it is closed
	calls   int                                  // that were made
	next    map[string]int                       // by key: records so far
	want    map[string][]string                  // by key: what must come out, in order
	records int
}

func newWorld(t *testing.T, b *broker, limit time.Duration) *world {
	t.Helper()
	ctx, cancel := context.WithTimeoutCause(t.Context(), limit, fmt.Errorf("the test took longer than %v", limit))
	t.Cleanup(cancel)
	seed := uint64(time.Now().UnixNano())
	const variable = "BANKIMPORT_TEST_SEED"
	if s := os.Getenv(variable); s != "" {
		var err error
		if seed, err = strconv.ParseUint(s, 10, 64); err != nil {
			t.Fatalf("%s: %v", variable, err)
		}
	}
	t.Logf("%s=%d", variable, seed)
	w := &world{
		T: t, ctx: ctx, broker: b, rng: rand.New(rand.NewPCG(seed, 0)),
		prefix: fmt.Sprintf("t%x.", time.Now().UnixNano()),
		closed: make(map[string]chan struct{}), next: make(map[string]int), want: make(map[string][]string),
	}
	w.dir = logDir(t)
	w.outside = httptest.NewServer(http.HandlerFunc(w.answer))
	t.Cleanup(func() {
		w.outside.CloseClientConnections()
		w.outside.Close()
	})
	var err error
	if w.feeder, err = kgo.NewClient(kgo.SeedBrokers(b.proxy.addr()), kgo.MaxBufferedRecords(1<<20), kgo.AlwaysRetryEOF()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.feeder.Close)
	w.admin = kadm.NewClient(w.feeder)
	topics := []string{"in", "out", "dead-letters"}
	for _, name := range append(topics, pipeline.StateTopic("", "bankimport", "tally")) {
		if _, err := w.admin.CreateTopic(ctx, partitions, 1, nil, w.prefix+name); err != nil {
			t.Fatalf("create topic %s: %v", name, err)
		}
	}
	w.awaitLeaders(append(topics, pipeline.StateTopic("", "bankimport", "tally"))...)
	// The judge goes to the broker itself, as far as librdkafka lets it.
	if w.log, err = judge.FollowKcat(judge.Config{Brokers: []string{b.proxy.addr()}, Prefix: w.prefix, Topics: topics[1:]}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.log.Close)
	return w
}

// awaitLeaders returns when the broker shows the topics: a moment after it has
// created them.
func (w *world) awaitLeaders(names ...string) {
	w.Helper()
	for _, name := range names {
		for {
			topics, err := w.admin.ListTopics(w.ctx, w.prefix+name)
			if err == nil && topics[w.prefix+name].Err == nil && len(topics[w.prefix+name].Partitions) == partitions &&
				!slices.ContainsFunc(topics[w.prefix+name].Partitions.Sorted(), func(p kadm.PartitionDetail) bool { return p.Err != nil || p.Leader < 0 }) {
				break
			}
			if !sleep(w.ctx, 20*time.Millisecond) {
				w.Fatalf("topic %s does not show: %v", name, err)
			}
		}
	}
}

// answer plays the world outside.
func (w *world) answer(_ http.ResponseWriter, r *http.Request) {
	key, what := r.FormValue("key"), r.FormValue("what")
	w.mu.Lock()
	w.calls++
	gate := w.closed[key]
	var takes time.Duration
	if w.slow != nil {
		takes = w.slow(key, what)
	}
	w.mu.Unlock()
	if gate != nil {
		select {
		case <-gate:
		case <-r.Context().Done():
		}
	}
	if takes > 0 {
		t := time.NewTimer(takes)
		defer t.Stop()
		select {
		case <-t.C:
		case <-r.Context().Done():
		}
	}
}

// hold lets the calls of a key wait until they are released.
func (w *world) hold(key string) (release func()) {
	gate := make(chan struct{})
	w.mu.Lock()
	defer w.mu.Unlock()
	w.closed[key] = gate
	return sync.OnceFunc(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		close(gate)
		delete(w.closed, key)
	})
}

// feed publishes one more record of a key.
func (w *world) feed(key string, hops int, every time.Duration) {
	w.mu.Lock()
	w.next[key]++
	r := Record{N: w.next[key], Hops: hops, EveryMS: int(every.Milliseconds())}
	w.want[key] = append(w.want[key], fmt.Sprintf("n%d", r.N))
	for i := range hops {
		w.want[key] = append(w.want[key], fmt.Sprintf("t%d", hops-i))
	}
	w.records += 1 + hops
	w.mu.Unlock()
	w.produce(key, r)
}

// feedQuiet publishes a record that changes nothing.
func (w *world) feedQuiet(key string) { w.produce(key, Record{Quiet: true}) }

func (w *world) produce(key string, r Record) {
	value, err := json.Marshal(r)
	if err != nil {
		w.Error(err)
		return
	}
	w.feeder.Produce(context.Background(), &kgo.Record{Topic: w.prefix + "in", Key: []byte(key), Value: value}, func(_ *kgo.Record, err error) {
		if err != nil && w.ctx.Err() == nil {
			w.Errorf("feed: %v", err)
		}
	})
}

// feedAll publishes a record for each of n keys.
func (w *world) feedAll(n int) {
	for i := range n {
		w.feed(fmt.Sprintf("k%d", i), 0, 0)
	}
	if err := w.feeder.Flush(w.ctx); err != nil {
		w.Fatal(err)
	}
}

// awaitOutputs returns when so many outputs are committed.
func (w *world) awaitOutputs(n int) {
	w.Helper()
	if err := w.log.Until(w.ctx, fmt.Sprintf("%d outputs", n), func() bool { return len(w.log.Topic("out")) >= n }); err != nil {
		w.Fatal(err)
	}
}

// awaitEnd returns when everything that must come out has come out at least
// once, and the stage has committed its way past all its input. Where that does
// not happen within the limit, the verdict says what is missing.
func (w *world) awaitEnd(limit time.Duration) {
	w.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	defer cancel()
	seen, there := 0, make(map[string]bool)
	err := w.log.Until(ctx, "all outputs", func() bool {
		all := w.log.Topic("out")
		for _, r := range all[seen:] {
			there[string(r.Key)+" "+outputOf(r).What] = true
		}
		seen = len(all)
		w.mu.Lock()
		defer w.mu.Unlock()
		return len(there) >= w.records
	})
	for err == nil && ctx.Err() == nil {
		if w.consumed(ctx) {
			return
		}
		select {
		case <-time.After(100 * time.Millisecond):
		case <-ctx.Done():
		}
	}
	w.Logf("not everything has come to its end within %v: %v", limit, err)
}

func (w *world) consumed(ctx context.Context) bool {
	ends, err := w.admin.ListEndOffsets(ctx, w.prefix+"in")
	if err != nil {
		return false
	}
	at, err := w.admin.FetchOffsets(ctx, pipeline.GroupName(w.prefix, "bankimport", "tally"))
	if err != nil {
		return false
	}
	done := true
	ends.Each(func(e kadm.ListedOffset) {
		if o, ok := at.Lookup(e.Topic, e.Partition); e.Offset > 0 && (!ok || o.At < e.Offset) {
			done = false
		}
	})
	return done
}

func outputOf(r judge.Record) Output {
	var o Output
	if err := json.Unmarshal(r.Value, &o); err != nil {
		panic(fmt.Sprintf("output at offset %d: %v", r.Offset, err))
	}
	return o
}

// verdict is what became of a run.
type verdict struct {
	records, outputs int
	lost, doubled    int
	disordered       int // outputs of a key before those that they must follow
	wrongState       int // outputs that were counted on another state than their predecessor left
	deadLetters      int
	calls            int
	example          string // of what is wrong
	allowed          int    // more calls than triggers, by G4
}

func (v verdict) wrong() int { return v.lost + v.doubled + v.disordered + v.wrongState + v.deadLetters }

func (v verdict) String() string {
	s := fmt.Sprintf("%d triggers, %d outputs: lost %d, doubled %d, out of order %d, wrong state %d, dead letters %d; %d calls (%d more than triggers, the bound of G4 allows %d)",
		v.records, v.outputs, v.lost, v.doubled, v.disordered, v.wrongState, v.deadLetters, v.calls, v.calls-v.records, v.allowed)
	if v.example != "" {
		s += "\n" + v.example
	}
	return s
}

const settleLimit = time.Minute

// judge compares what came out with what had to. Whatever wrote must have
// stopped. Crashes is how often a process was ended, or lost its partitions, with
// work in flight.
func (w *world) judge(crashes int) verdict {
	w.Helper()
	ctx, cancel := context.WithTimeoutCause(w.ctx, settleLimit, fmt.Errorf("a partition cannot be read to its end within %v", settleLimit))
	defer cancel()
	if err := w.log.Settle(ctx); err != nil {
		w.Fatal(err)
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	v := verdict{records: w.records, calls: w.calls, deadLetters: len(w.log.Topic("dead-letters"))}
	// Records and timers have a bound each, and the calls in flight and the
	// results that are not committed share it.
	v.allowed = crashes * 2 * inFlight
	got := make(map[string][]judge.Record)
	for _, r := range w.log.Topic("out") {
		v.outputs++
		got[string(r.Key)] = append(got[string(r.Key)], r)
	}
	for _, key := range slices.Sorted(maps.Keys(w.want)) {
		want, seen, before := w.want[key], make(map[string]int), v.wrong()
		place := make(map[string]int)
		for i, what := range want {
			place[what] = i
		}
		last, text := -1, ""
		for i, r := range got[key] {
			o := outputOf(r)
			text += fmt.Sprintf(" %s=%d@%d/%d", o.What, o.Count, r.Partition, r.Offset)
			if o.Count != i+1 {
				v.wrongState++
			}
			if seen[o.What]++; seen[o.What] > 1 {
				continue
			}
			if place[o.What] < last {
				v.disordered++
			}
			last = max(last, place[o.What])
		}
		for _, what := range want {
			if seen[what] == 0 {
				v.lost++
				text += " no " + what
			}
			v.doubled += max(seen[what]-1, 0)
		}
		if v.example == "" && v.wrong() > before {
			v.example = "for example key " + key + ":" + text
		}
	}
	return v
}

// wantSound fails the test for whatever is wrong.
func (w *world) wantSound(v verdict) {
	w.Helper()
	if v.wrong() > 0 {
		w.Errorf("violation: %v", v)
	}
	if v.calls-v.records > v.allowed {
		w.Errorf("%d calls more than there were triggers, the bound of G4 is %d", v.calls-v.records, v.allowed)
	}
}

// process is one tally.
type process struct {
	w        *world
	instance string
	log      string
	weaken   string

	run *subprocess.Process
}

func (w *world) process(instance string) *process {
	return &process{w: w, instance: instance, log: filepath.Join(w.dir, "tally-"+instance+".log")}
}

// start runs it, with a fail point if there is one.
func (p *process) start(failpoint string) {
	p.w.Helper()
	path, err := executable()
	if err != nil {
		p.w.Fatal(err)
	}
	log, err := os.OpenFile(p.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		p.w.Fatal(err)
	}
	defer log.Close() // the process has its own copy
	fmt.Fprintf(log, "--- start, fail point %q, weakened %q\n", failpoint, p.weaken)
	instance := p.instance
	if strings.HasPrefix(instance, "free") { // not static
		instance = ""
	}
	cmd := exec.Command(path, "-brokers", p.w.broker.proxy.addr(), "-prefix", p.w.prefix, "-instance", instance,
		"-world", p.w.outside.URL, "-in-flight", strconv.Itoa(inFlight),
		"-session", sessionTimeout.String(), "-transaction", transactionTimeout.String(), "-drain", drainTimeout.String())
	cmd.Env = append(os.Environ(), "BANKIMPORT_TEST_FAILPOINT="+failpoint, "BANKIMPORT_TEST_WEAKEN="+p.weaken)
	cmd.Stdout, cmd.Stderr = log, log
	if p.run, err = subprocess.Start(cmd); err != nil {
		p.w.Fatal(err)
	}
	run := p.run
	p.w.Cleanup(func() {
		if err := run.Kill(); err != nil {
			p.w.Error(err)
		}
	})
}

func (p *process) ended() bool {
	select {
	case <-p.run.Done():
		return true
	default:
		return false
	}
}

// kill ends it. It reports false for one that had ended by its fail point.
func (p *process) kill() bool {
	p.w.Helper()
	if p.ended() {
		p.wantKilled()
		return false
	}
	if err := p.run.Kill(); err != nil {
		p.w.Fatal(err)
	}
	return true
}

// wantKilled fails the test where the process ended in another way than by SIGKILL.
func (p *process) wantKilled() {
	p.w.Helper()
	if err := p.run.Wait(); err == nil || err.Error() != "signal: killed" {
		p.w.Fatalf("tally %s ended by itself: %v\n%s", p.instance, err, p.tail())
	}
}

// stop asks it to end, which it must do with status 0.
func (p *process) stop() {
	p.w.Helper()
	if err := p.run.Stop(30 * time.Second); err != nil {
		p.w.Error(err)
	}
	if err := p.run.Wait(); err != nil {
		p.w.Errorf("tally %s after SIGTERM: %v\n%s", p.instance, err, p.tail())
	}
}

func (p *process) signal(s syscall.Signal) {
	p.w.Helper()
	if err := p.run.Signal(s); err != nil {
		p.w.Fatal(err)
	}
}

// awaitStopped returns when SIGSTOP has stopped it.
func (p *process) awaitStopped() {
	p.w.Helper()
	for {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", p.run.PID()))
		if err != nil {
			p.w.Fatalf("tally %s: %v\n%s", p.instance, err, p.tail())
		}
		if _, after, _ := strings.Cut(string(stat), ") "); strings.HasPrefix(after, "T") {
			return
		}
		if !sleep(p.w.ctx, 5*time.Millisecond) {
			p.w.Fatalf("tally %s does not stop", p.instance)
		}
	}
}

func (p *process) tail() string {
	log, err := os.ReadFile(p.log)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}

func sleep(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return true
	case <-ctx.Done():
		return false
	}
}

// logDir is a directory for logs that stays when the test has failed.
func logDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "bankimport-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the processes' logs are kept in %s", dir)
			return
		}
		if err := os.RemoveAll(dir); err != nil {
			t.Error(err)
		}
	})
	return dir
}
