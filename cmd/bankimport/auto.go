package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"text/tabwriter"
	"time"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/simulator/player"
	"github.com/bankimport/bankimport/schemas"
)

// auto imports the test bank and plays the user in the web form, by the same
// pages that a person would use. It returns nil when everything arrived.
func (a *app) auto(ctx context.Context, conn kafkaconn.Config, w *devWorld) error {
	prefix := w.cfg.Kafka.TopicPrefix
	f, err := follow.Open(ctx, follow.Config{Kafka: conn.Options(), Prefix: prefix, Topics: follow.Topics()})
	if err != nil {
		return err
	}
	defer f.Close()
	id := uuid.NewString()
	request := schemas.ImportRequested{ImportID: id, UserID: "auto", BankID: devBank, RequestedAt: schemas.At(time.Now())}
	if err := publish(ctx, conn, prefix, request); err != nil {
		return err
	}
	fmt.Fprintln(a.stderr, "\nimport", id, "(--auto: a user is played)")
	text := a.newTextProgress()
	text.formTold = math.MaxInt // nobody is asked to open it
	user := &playedUser{progress: text, urls: make(chan string, 1)}
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return user.play(ctx) })
	var im *follow.Import
	g.Go(func() (err error) {
		defer close(user.urls)
		im, err = a.followOne(ctx, f, id, false, user)
		return err
	})
	if err := g.Wait(); err != nil {
		return err
	}
	if err := a.result(im, outputText); err != nil {
		return err
	}
	return a.sums(im)
}

// playedUser fills in the form as soon as its address is known.
type playedUser struct {
	progress
	urls chan string
	told bool
}

func (u *playedUser) event(im *follow.Import, r follow.Record) error {
	if im.FormURL != "" && !u.told {
		u.told = true
		u.urls <- im.FormURL // there is room for one, and there is one
	}
	return u.progress.event(im, r)
}

func (u *playedUser) play(ctx context.Context) error {
	select {
	case url, ok := <-u.urls:
		if !ok {
			return nil // the import ended without a form
		}
		if err := player.Play(ctx, url); err != nil {
			return fmt.Errorf("play the user: %w", err)
		}
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// sums prints each account and fails unless all of it is there: --auto is a
// check that can fail.
func (a *app) sums(im *follow.Import) error {
	rows := 0
	table := tabwriter.NewWriter(a.stdout, 0, 0, 2, ' ', tabwriter.AlignRight)
	defer table.Flush()
	for _, acc := range im.Completed.Accounts {
		if acc.AccountRead == nil {
			return fmt.Errorf("account %s was not loaded: %s", acc.AccountKey, acc.Failure)
		}
		rows += acc.Count
		fmt.Fprintf(table, "%s\t%s…\t%s\tsum %12s\t\n", acc.AccountType, acc.AccountKey[:8], count(acc.Count, "transaction"), acc.Sum)
		if !acc.Reconciled {
			return errors.New("an account does not reconcile with what the provider reports")
		}
	}
	if rows != im.Completed.Transactions {
		return fmt.Errorf("the accounts have %d transactions, the import says %d", rows, im.Completed.Transactions)
	}
	return nil
}
