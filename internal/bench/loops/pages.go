package loops

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/pipeline"
)

// Pages is the engine with a stage that works like the one for bank
// transactions: an input record is an account, whose rows are published page
// after page, each page a step that wakes the next one.
func Pages(ctx context.Context, t contest.Task, m *contest.Meter) error {
	return runStage(ctx, t, 0, &pager{task: t}, count(m))
}

// A pager publishes pages of rows. The state of a key is the number of its next
// page.
type pager struct{ task contest.Task }

// Handle implements [pipeline.Handler].
func (p *pager) Handle(_ context.Context, t pipeline.Trigger, s pipeline.State) (pipeline.Result, error) {
	if t.Event != nil {
		return pipeline.Result{State: nextPage(0), Wake: pipeline.WakeAt(t.Now)}, nil
	}
	page := binary.BigEndian.Uint32(s.Value)
	r := pipeline.Result{State: nextPage(page + 1), Wake: pipeline.WakeAt(t.Now)}
	if int(page+1)*p.task.PageRows >= p.task.Rows {
		r.Wake = pipeline.ClearWake()
	}
	for i := range p.task.PageRows {
		key, value := row(p.task, t.Key, int(page)*p.task.PageRows+i)
		r.Events = append(r.Events, pipeline.Event{Topic: p.task.Output, Key: key, Value: value})
	}
	return r, nil
}

// GaveUp implements [pipeline.Handler].
func (p *pager) GaveUp(pipeline.Trigger, pipeline.State, error) pipeline.Result {
	return pipeline.Result{}
}

func nextPage(n uint32) pipeline.StateChange {
	return pipeline.SetState(binary.BigEndian.AppendUint32(nil, n))
}

// row makes row i of an account. Half of it compresses well, as JSON does.
func row(t contest.Task, account string, i int) (key, value []byte) {
	key = fmt.Appendf(make([]byte, 0, 48), "%s/%d", account, i)
	value = make([]byte, t.RowBytes)
	x := uint64(i)
	for at := 0; at+16 <= len(value); at += 16 {
		x = x*6364136223846793005 + 1442695040888963407
		binary.BigEndian.PutUint64(value[at:], x)
	}
	return key, value
}

// RawPages writes the same rows in transactions of as many rows as the engine
// takes into one when it works on a single account, and does nothing else.
func RawPages(ctx context.Context, t contest.Task, m *contest.Meter) error {
	cl, err := kgo.NewClient(options(t, kgo.TransactionalID(t.Group), kgo.ManualFlushing())...)
	if err != nil {
		return err
	}
	defer cl.Close()
	for first := 0; ctx.Err() == nil; first += t.Poll {
		if err := cl.BeginTransaction(); err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		var failed error
		for i := range t.Poll {
			key, value := row(t, "account", first+i)
			cl.Produce(ctx, &kgo.Record{Topic: t.Output, Key: key, Value: value}, func(_ *kgo.Record, err error) {
				if err != nil {
					failed = err // promises run one at a time, and before Flush returns
				}
			})
		}
		flushed := cl.Flush(ctx)
		if err := errors.Join(flushed, failed); err != nil {
			return stopped(ctx, fmt.Errorf("produce: %w", err))
		}
		if err := cl.EndTransaction(ctx, kgo.TryCommit); err != nil {
			return stopped(ctx, fmt.Errorf("end transaction: %w", err))
		}
		m.Add(t.Poll)
	}
	return nil
}
