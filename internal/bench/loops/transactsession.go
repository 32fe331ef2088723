package loops

import (
	"context"
	"fmt"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/bench/contest"
)

// TransactSession is the loop that franz-go offers for exactly once: poll,
// handle, produce and commit the offsets in one transaction. It waits for the
// slowest record of each poll.
func TransactSession(ctx context.Context, t contest.Task, m *contest.Meter) error {
	s, err := kgo.NewGroupTransactSession(member(t, kgo.TransactionalID(t.Group))...)
	if err != nil {
		return err
	}
	defer s.Close()
	for {
		batch, err := poll(ctx, t, func() kgo.Fetches { return s.PollRecords(ctx, t.Poll) })
		if err != nil || batch == nil {
			return err
		}
		if err := s.Begin(); err != nil {
			return fmt.Errorf("begin transaction: %w", err)
		}
		produced := kgo.TryCommit
		if err := s.ProduceSync(ctx, outputs(t, batch)...).FirstErr(); err != nil {
			produced = kgo.TryAbort
		}
		committed, err := s.End(ctx, produced)
		if err != nil {
			return stopped(ctx, fmt.Errorf("end transaction: %w", err))
		}
		if committed {
			m.Add(len(batch))
		}
	}
}
