package main

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/twmb/franz-go/pkg/kgo"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/internal/topics"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/accounts"
	"github.com/bankimport/bankimport/stages/connection"
	"github.com/bankimport/bankimport/stages/transactions"
	"github.com/bankimport/bankimport/stages/webform"
)

// imports sends import requests at a steady rate to the stages themselves, ends
// each form when it has read that there is one, and takes the time from both
// records that it sends to what it waits for under read_committed: all hops
// of an import, without its own.
func imports(perSecond, rows int, p50, p99 target) func(context.Context, *lab) (result, error) {
	return func(ctx context.Context, l *lab) (result, error) {
		figures := []figure{
			{what: "p50, all hops", unit: "ms", want: p50},
			{what: "p99", unit: "ms", want: p99},
			{what: "p50, request to form", unit: "ms"},
			{what: "p50, form ended to import-completed", unit: "ms"},
			{what: "calls of the provider for an import, without logins", unit: ""},
		}
		all := spent{name: "stages"}
		for range l.rounds {
			took, report, err := l.imports(ctx, perSecond, rows)
			if err != nil {
				return result{}, err
			}
			all.reports = append(all.reports, report)
			at := func(q float64, of func(importTook) time.Duration) float64 {
				d := make([]time.Duration, len(took))
				for i, t := range took {
					d[i] = of(t)
				}
				slices.Sort(d)
				return millis(d[int(q*float64(len(d)-1))])
			}
			hops := func(t importTook) time.Duration { return t.form + t.rest }
			for i, v := range []float64{
				at(0.5, hops), at(0.99, hops), at(0.5, func(t importTook) time.Duration { return t.form }), at(0.5, func(t importTook) time.Duration { return t.rest }),
				float64(report.Calls) / float64(report.Records),
			} {
				figures[i].values = append(figures[i].values, v)
			}
		}
		return result{figures: figures, spent: []spent{all}}, nil
	}
}

// importTook is how long an import took from its request to its form, and from
// the form's end to its own.
type importTook struct{ form, rest time.Duration }

// imports is one round. It begins long after its topics and groups were made, which
// costs the broker more than imports do: users make them once.
func (l *lab) imports(ctx context.Context, perSecond, rows int) ([]importTook, contest.Report, error) {
	ctx, cancel := context.WithTimeout(ctx, time.Minute+l.window)
	defer cancel()
	l.runs++
	prefix := fmt.Sprintf("imports-%d.", l.runs)
	set := topics.Settings{Prefix: prefix, Stages: []string{webform.Name, connection.Name, accounts.Name, transactions.Name}, Partitions: partitions, Replication: 1}
	if _, err := topics.Ensure(ctx, l.admin, set); err != nil {
		return nil, contest.Report{}, err
	}
	p, err := l.start("stages", contest.Task{
		Brokers: []string{l.broker.Addr()}, BrokerPID: l.broker.PID(), Output: prefix, Group: prefix,
		InFlight: 1000, Rows: rows, Warmup: l.warmup + l.warming/2, Window: l.window,
	})
	if err != nil {
		return nil, contest.Report{}, err
	}
	cl, err := kgo.NewClient(kgo.SeedBrokers(l.broker.Addr()), kgo.ProducerLinger(0),
		kgo.ConsumeTopics(prefix+schemas.TopicWebformCreated, prefix+schemas.TopicImportCompleted),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.FetchIsolationLevel(kgo.ReadCommitted()))
	if err != nil {
		return nil, contest.Report{}, err
	}
	defer cl.Close()
	work, around := context.WithCancel(ctx)
	u := &upstream{client: cl, prefix: prefix, requested: make(chan importRequest, 10*perSecond)}
	var both errgroup.Group
	both.Go(func() error { return u.request(work, perSecond) })
	both.Go(func() error { return u.follow(work) })
	report, err := p.wait(ctx)
	around()
	if failed := both.Wait(); err == nil {
		err = failed
	}
	warm := time.Now().Add(-l.window)
	var took []importTook
	for _, i := range u.ended {
		if i.requested.After(warm) {
			took = append(took, importTook{i.created.Sub(i.requested), i.completed.Sub(i.told)})
		}
	}
	if err == nil && len(took) == 0 {
		err = fmt.Errorf("no import of %s has ended in the window", prefix)
	}
	if err != nil {
		return nil, contest.Report{}, err
	}
	return took, report, l.drop(ctx, prefix)
}

// drop deletes all topics with a prefix.
func (l *lab) drop(ctx context.Context, prefix string) error {
	there, err := l.admin.ListTopics(ctx)
	if err != nil {
		return fmt.Errorf("list topics: %w", err)
	}
	return l.deleteTopics(ctx, slices.DeleteFunc(there.Names(), func(name string) bool { return !strings.HasPrefix(name, prefix) })...)
}

// upstream is who asks for imports, their users and who reads what they bring.
type upstream struct {
	client    *kgo.Client
	prefix    string
	requested chan importRequest
	ended     []importRequest
}

// importRequest is when what happened to an import: its request and the end of
// its form were sent, its form and its end were read.
type importRequest struct {
	id                                  string
	requested, created, told, completed time.Time
}

// request asks for imports until ctx ends.
func (u *upstream) request(ctx context.Context, perSecond int) error {
	tick := time.NewTicker(time.Second / time.Duration(perSecond))
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
		i := importRequest{id: uuid.NewString(), requested: time.Now()}
		select {
		case u.requested <- i:
		default:
			continue // nobody reads any more
		}
		if err := u.send(ctx, schemas.ImportRequested{ImportID: i.id, UserID: "user-" + i.id, BankID: 1}); err != nil {
			return err
		}
	}
}

func (u *upstream) send(ctx context.Context, e schemas.Event) error {
	value, headers, err := schemas.Encode(e, schemas.Meta{Source: "bench", Time: time.Now()})
	if err != nil {
		return err
	}
	r := &kgo.Record{Topic: u.prefix + e.Topic(), Key: []byte(e.Key()), Value: value}
	for _, h := range headers {
		r.Headers = append(r.Headers, kgo.RecordHeader{Key: h.Key, Value: []byte(h.Value)})
	}
	u.client.Produce(ctx, r, nil) // one that is lost has no end
	return nil
}

// follow ends forms and notes ends until ctx ends.
func (u *upstream) follow(ctx context.Context) error {
	open := make(map[string]*importRequest)
	for {
		fetches := u.client.PollFetches(ctx)
		now := time.Now()
		if ctx.Err() != nil {
			return nil
		}
		if err := fetches.Err(); err != nil {
			return err
		}
		for more := true; more; {
			select {
			case i := <-u.requested:
				open[i.id] = &i
			default:
				more = false
			}
		}
		for _, r := range fetches.Records() {
			i := open[string(r.Key)]
			switch {
			case i == nil:
				return fmt.Errorf("%s tells of an import that nobody asked for", r.Topic)
			case strings.HasSuffix(r.Topic, schemas.TopicWebformCreated):
				form, err := schemas.Decode[schemas.WebformCreated](r.Value)
				if err != nil {
					return err
				}
				i.created, i.told = now, time.Now()
				err = u.send(ctx, schemas.WebformCompleted{ImportID: i.id, Run: form.Run, FormID: form.FormID, EndedBy: schemas.EndedByCallback, ObservedAt: schemas.At(now)})
				if err != nil {
					return err
				}
			default:
				i.completed = now
				u.ended = append(u.ended, *i)
				delete(open, i.id)
			}
		}
	}
}
