// Command tally is one pipeline stage as a process of its own, for tests that
// kill it. It counts the triggers of each key: every output carries the count
// and what led to it, so whatever is lost, doubled, out of order or handled on
// the wrong state shows in the outputs.
//
// A record is [Record]. Each trigger asks the test's HTTP server first, which
// plays the slow world outside: it answers when the test wants it to.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/pipeline"
)

// Record is a record of the topic "in".
type Record struct {
	N       int `json:"n"`               // the how many-th of its key
	Hops    int `json:"hops,omitempty"`  // then the key's timer fires so many times
	EveryMS int `json:"every,omitempty"` // with this distance
	// Quiet records change nothing: their offsets are committed and no more.
	Quiet bool `json:"quiet,omitempty"`
}

// Output is a record of the topic "out".
type Output struct {
	What  string `json:"what"` // "n7": record 7 of the key; "t3": a timer with 3 hops to go
	Count int    `json:"count"`
}

// state of a key.
type state struct {
	Count, Hops, EveryMS int
}

type tally struct {
	world  string
	client *http.Client
}

func (h *tally) Handle(ctx context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	var st state
	if s.Value != nil {
		if err := json.Unmarshal(s.Value, &st); err != nil {
			return pipeline.Result{}, err
		}
	}
	what := fmt.Sprintf("t%d", st.Hops)
	if t.Event != nil {
		var r Record
		if err := json.Unmarshal(t.Event.Value, &r); err != nil {
			return pipeline.Result{}, err
		}
		if r.Quiet {
			return pipeline.Result{}, nil
		}
		what = fmt.Sprintf("n%d", r.N)
		if r.Hops > 0 {
			st.Hops, st.EveryMS = r.Hops, r.EveryMS
		}
	}
	if err := h.ask(ctx, t.Key, what); err != nil {
		return pipeline.Result{}, err
	}
	st.Count++
	var result pipeline.Result
	if t.Event == nil {
		st.Hops--
	}
	if st.Hops > 0 {
		result.Wake = pipeline.WakeAt(t.Now.Add(time.Duration(st.EveryMS) * time.Millisecond))
	}
	value, err := json.Marshal(Output{what, st.Count})
	if err != nil {
		return pipeline.Result{}, err
	}
	result.Events = []pipeline.Event{{Topic: "out", Key: []byte(t.Key), Value: value}}
	next, err := json.Marshal(st)
	if err != nil {
		return pipeline.Result{}, err
	}
	result.State = pipeline.SetState(next)
	return result, nil
}

func (h *tally) ask(ctx context.Context, key, what string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.world+"?"+url.Values{"key": {key}, "what": {what}}.Encode(), nil)
	if err != nil {
		return err
	}
	resp, err := h.client.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.Copy(io.Discard, resp.Body)
	return err
}

func (h *tally) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{}
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	f := flag.NewFlagSet("tally", flag.ContinueOnError)
	brokers := f.String("brokers", "", "addresses, with commas")
	world := f.String("world", "", "URL of the world outside")
	cfg := pipeline.Config{Logger: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	f.StringVar(&cfg.TopicPrefix, "prefix", "", "of all topics")
	f.StringVar(&cfg.InstanceID, "instance", "", "instance id")
	f.IntVar(&cfg.MaxInFlight, "in-flight", 0, "records at once")
	f.DurationVar(&cfg.DrainTimeout, "drain", 0, "drain timeout")
	f.DurationVar(&cfg.SessionTimeout, "session", 0, "session timeout")
	f.DurationVar(&cfg.TransactionTimeout, "transaction", 0, "transaction timeout")
	if err := f.Parse(args); err != nil {
		return err
	}
	cfg.KafkaOpts = []kgo.Opt{kgo.SeedBrokers(strings.Split(*brokers, ",")...)}
	r, err := pipeline.NewRunner(pipeline.Stage{
		Name: "tally", Input: "in", Outputs: []string{"out"},
		Handler: &tally{*world, &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 1000}}},
	}, cfg)
	if err != nil {
		return err
	}
	return r.Run(ctx)
}
