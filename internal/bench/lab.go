package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/internal/realkafka"
)

const partitions = 6

// A lab is the broker of a run with the inputs that its contestants share. It is
// not for concurrent use.
type lab struct {
	settings
	broker *realkafka.Broker
	dir    string
	client *kgo.Client
	admin  *kadm.Client
	inputs map[string]bool // topics that are filled, by name
	runs   int
	stderr io.Writer
}

func newLab(ctx context.Context, s settings, stderr io.Writer) (_ *lab, err error) {
	dir, err := os.MkdirTemp("", "bankimport-bench-")
	if err != nil {
		return nil, err
	}
	l := &lab{settings: s, dir: dir, inputs: map[string]bool{}, stderr: stderr}
	defer func() {
		if err != nil {
			err = errors.Join(err, l.close())
		}
	}()
	if l.broker, err = realkafka.Start(ctx, realkafka.Config{Dir: dir, AsShipped: true}); err != nil {
		return nil, err
	}
	if l.client, err = kgo.NewClient(kgo.SeedBrokers(l.broker.Addr()), kgo.MaxBufferedRecords(100_000)); err != nil {
		return nil, err
	}
	l.admin = kadm.NewClient(l.client)
	return l, l.createTopics(ctx, nil, contest.DeadLetters)
}

func (l *lab) close() (err error) {
	if l.client != nil {
		l.client.Close()
	}
	if l.broker != nil {
		err = l.broker.Stop()
	}
	return errors.Join(err, os.RemoveAll(l.dir))
}

func (l *lab) createTopics(ctx context.Context, configs map[string]*string, names ...string) error {
	created, err := l.admin.CreateTopics(ctx, partitions, 1, configs, names...)
	if err == nil {
		err = created.Error()
	}
	if err != nil {
		return fmt.Errorf("create topics: %w", err)
	}
	return l.awaitTopics(ctx, names)
}

// awaitTopics waits until the topics are there for everybody: a broker answers
// that they are created some time before it knows them itself.
func (l *lab) awaitTopics(ctx context.Context, names []string) error {
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for {
		known, err := l.admin.ListTopics(ctx, names...)
		if err != nil {
			return fmt.Errorf("await topics: %w", err)
		}
		if known.Error() == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("await topics: %w", errors.Join(ctx.Err(), known.Error()))
		}
	}
}

// task is what every contestant is told, for a run on an input, with a group and
// an output of its own. The caller ends it with [lab.clean].
func (l *lab) task(ctx context.Context, input string, change func(*contest.Task)) (contest.Task, error) {
	l.runs++
	run := strconv.Itoa(l.runs)
	t := contest.Task{
		Brokers: []string{l.broker.Addr()}, BrokerPID: l.broker.PID(),
		Input: input, Output: "out-" + run, Group: "group-" + run,
		Limit: l.records, Warmup: l.warmup, Window: l.window,
	}
	change(&t)
	plain, compacted := t.Topics()
	soon, compact := "1000", "compact" // what is deleted is to be gone soon
	return t, errors.Join(
		l.createTopics(ctx, map[string]*string{"file.delete.delay.ms": &soon}, plain...),
		l.createTopics(ctx, map[string]*string{"file.delete.delay.ms": &soon, "cleanup.policy": &compact}, compacted...),
	)
}

// clean deletes what a task has written.
func (l *lab) clean(ctx context.Context, t contest.Task) error {
	plain, compacted := t.Topics()
	return l.deleteTopics(ctx, append(plain, compacted...)...)
}

func (l *lab) deleteTopics(ctx context.Context, names ...string) error {
	deleted, err := l.admin.DeleteTopics(ctx, names...)
	if err == nil {
		err = deleted.Error()
	}
	if err != nil {
		return fmt.Errorf("delete topics: %w", err)
	}
	return nil
}

// errLate: a contestant has not come to its end in time.
var errLate = errors.New("no result in time")

// race runs one contestant to its end, which is to come within the given time and the
// window.
func (l *lab) race(ctx context.Context, within time.Duration, program, input string, change func(*contest.Task)) (contest.Report, error) {
	t, err := l.task(ctx, input, change)
	if err != nil {
		return contest.Report{}, err
	}
	p, err := l.start(program, t)
	if err != nil {
		return contest.Report{}, err
	}
	limited, cancel := context.WithTimeoutCause(ctx, within+l.window, errLate)
	defer cancel()
	report, err := p.wait(limited)
	if err != nil {
		if left := l.clean(ctx, t); left != nil { // the next ones would have it beside them, also where this one was only late
			return contest.Report{}, fmt.Errorf("%s: %v; then: %w", program, err, left)
		}
		return contest.Report{}, fmt.Errorf("%s: %w", program, err)
	}
	fmt.Fprintf(l.stderr, "run %d: %s: %s records/s\n", l.runs, program, number(report.Rate()))
	return report, l.clean(ctx, t)
}
