package devpage

import (
	"context"
	"time"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

const (
	openTimeout  = 10 * time.Second
	firstBackoff = 250 * time.Millisecond
	lastBackoff  = 10 * time.Second
)

// shownTopics are those the page reads.
func shownTopics() []string {
	return []string{
		schemas.TopicImportRequested, schemas.TopicWebformCreated, schemas.TopicWebformCompleted,
		schemas.TopicConnectionReady, schemas.TopicAccountsFetched, schemas.TopicImportStatus,
		schemas.TopicAccounts, schemas.TopicTransactions,
		schemas.TopicImportCompleted, schemas.TopicImportFailed, schemas.TopicDeadLetters,
	}
}

// Run reads the topics until ctx ends, then ends the live connections of all
// pages and returns nil. What goes wrong is logged, shown on the page, and tried
// again. It is called once.
func (p *Page) Run(ctx context.Context) error {
	defer p.hub.close()
	backoff := firstBackoff
	for {
		err := p.read(ctx, func() { backoff = firstBackoff })
		if ctx.Err() != nil {
			return nil
		}
		p.cfg.Logger.Warn("reading the topics broke off, trying again", "err", err, "after", backoff)
		p.store.setReading(readingBroken)
		p.hub.tellAll()
		again := time.NewTimer(backoff)
		select {
		case <-ctx.Done():
			again.Stop()
			return nil
		case <-again.C:
		}
		backoff = min(2*backoff, lastBackoff)
	}
}

// read reads until something goes wrong, and calls worked whenever it did not.
// It starts at the beginning of the topics each time; the store skips what it
// knows.
func (p *Page) read(ctx context.Context, worked func()) error {
	opening, cancel := context.WithTimeout(ctx, openTimeout)
	f, err := follow.Open(opening, follow.Config{
		Kafka: p.cfg.Kafka, Prefix: p.cfg.Prefix, Topics: shownTopics(), FromStart: true,
	})
	cancel()
	if err != nil {
		return err
	}
	defer f.Close()
	for {
		if f.CaughtUp() && p.store.setReading(readingLive) {
			p.hub.tellAll()
		}
		recs, err := f.Next(ctx)
		if err != nil {
			return err
		}
		worked()
		p.hub.tell(p.store.take(recs))
	}
}
