package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"time"

	"golang.org/x/term"

	"github.com/bankimport/bankimport/internal/follow"
	"github.com/bankimport/bankimport/schemas"
)

// followOne tells how an import gets on until it has ended. It returns the
// import, or an error if it cannot be followed.
func (a *app) followOne(ctx context.Context, f *follow.Follower, id string, p progress) (*follow.Import, error) {
	im := &follow.Import{ID: id}
	defer p.close()
	for {
		recs, err := f.Next(ctx)
		if err != nil {
			if ctx.Err() != nil {
				return im, errInterrupted
			}
			return im, err
		}
		for _, r := range recs {
			if r.Event == nil || r.Event.Subject() != id || !im.Apply(r) {
				continue
			}
			if err := p.event(im, r); err != nil {
				return im, err
			}
		}
		if im.Ended() && im.Status.StepNo == schemas.StepCompleted.Number() {
			return im, nil // its last status is there too
		}
		if im.Ended() && f.CaughtUp() && im.Status.Step == "" {
			return im, nil // no status is left of it
		}
	}
}

// progress shows how an import gets on.
type progress interface {
	event(im *follow.Import, r follow.Record) error
	close()
}

// jsonProgress writes each event as a line of JSON.
type jsonProgress struct{ w io.Writer }

func (p jsonProgress) event(_ *follow.Import, r follow.Record) error {
	return json.NewEncoder(p.w).Encode(struct {
		Topic     string        `json:"topic"`
		Partition int32         `json:"partition"`
		Offset    int64         `json:"offset"`
		ID        string        `json:"id"`
		Type      string        `json:"type"`
		Event     schemas.Event `json:"event"`
	}{r.Topic, r.Partition, r.Offset, r.ID, r.Type, r.Event})
}

func (jsonProgress) close() {}

// silent shows nothing.
type silent struct{}

func (silent) event(*follow.Import, follow.Record) error { return nil }
func (silent) close()                                    {}

// textProgress talks to a person: one line that is written anew on a terminal,
// a line per step elsewhere.
type textProgress struct {
	w        io.Writer
	terminal bool
	formTold int // run whose form was told
	last     string
	open     bool // a line is begun
}

func (p *textProgress) event(im *follow.Import, _ follow.Record) error {
	if im.FormURL != "" && p.formTold < im.Run && !im.Ended() {
		p.formTold = im.Run
		p.close()
		valid := ""
		if at := im.Status.FormExpiresAt; !at.IsZero() {
			valid = fmt.Sprintf(" (valid until %s)", at.Local().Format("15:04:05"))
		}
		fmt.Fprintf(p.w, "open this form%s: %s\n", valid, im.FormURL)
	}
	line := describe(im)
	if line == p.last || im.Ended() {
		return nil
	}
	p.last = line
	if p.terminal {
		p.open = true
		_, err := fmt.Fprintf(p.w, "\r\x1b[K  %s", line)
		return err
	}
	_, err := fmt.Fprintf(p.w, "  %s\n", line)
	return err
}

func (p *textProgress) close() {
	if p.open {
		fmt.Fprintln(p.w)
		p.open = false
	}
}

// newTextProgress writes to stderr, as a moving line if that is a terminal.
func (a *app) newTextProgress() *textProgress {
	f, ok := a.stderr.(*os.File)
	return &textProgress{w: a.stderr, terminal: ok && term.IsTerminal(int(f.Fd()))}
}

// describe says where an import stands, in a few words.
func describe(im *follow.Import) string {
	s := im.Status
	switch im.Step() {
	case schemas.StepRequested:
		return "requested"
	case schemas.StepFormOpen:
		return "form open, waiting for the user"
	case schemas.StepDownloading:
		if s.WaitingFor == schemas.WaitingForProvider {
			return "downloaded, waiting for categories"
		}
		return "downloading from the bank"
	case schemas.StepReadingAccounts:
		return "reading accounts"
	case schemas.StepReadingTransactions:
		if s.TransactionsRead != nil && s.TransactionsTotal != nil {
			return fmt.Sprintf("reading transactions %s of %s", thousands(*s.TransactionsRead), thousands(*s.TransactionsTotal))
		}
		return "reading transactions"
	case schemas.StepCompleted:
		return summary(im)
	default:
		return "failed: " + failure(im)
	}
}

func failure(im *follow.Import) string {
	reason, code := im.Status.Reason, ""
	if im.Failed != nil {
		reason, code = im.Failed.Reason, im.Failed.ProviderCode
	}
	if code != "" {
		return fmt.Sprintf("%s (%s)", reason, code)
	}
	return string(reason)
}

// summary is what a completed import brought.
func summary(im *follow.Import) string {
	if im.Completed == nil {
		return "completed"
	}
	c := im.Completed
	loaded, reconciled := 0, 0
	for _, acc := range c.Accounts {
		if acc.AccountRead == nil {
			continue
		}
		loaded++
		if acc.Reconciled {
			reconciled++
		}
	}
	s := fmt.Sprintf("completed in %s: %s, %s", c.CompletedAt.Sub(c.StartedAt.Time).Round(100*time.Millisecond),
		count(loaded, "account"), count(c.Transactions, "transaction"))
	if missing := len(c.Accounts) - loaded; missing > 0 {
		s += fmt.Sprintf(", %s not loaded", count(missing, "account"))
	}
	switch reconciled {
	case loaded:
		return s + ", all reconciled"
	case 0:
		return s + ", none reconciled"
	default:
		return s + fmt.Sprintf(", %d reconciled", reconciled)
	}
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// thousands writes 1612 as 1,612.
func thousands(n int) string {
	s := strconv.Itoa(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}

// result prints how a followed import ended and makes it the command's end.
func (a *app) result(im *follow.Import, output string) error {
	switch {
	case output != outputText:
	case im.Completed != nil:
		fmt.Fprintln(a.stdout, summary(im))
	case im.Failed != nil:
		fmt.Fprintln(a.stdout, "failed:", failure(im))
	}
	if im.Failed == nil {
		return nil
	}
	if output == outputText && im.Failed.Retryable {
		fmt.Fprintln(a.stderr, "a new import may succeed: request it again, with a new id")
	}
	if im.Failed.Reason == schemas.ReasonGaveUp {
		fmt.Fprintln(a.stderr, "the dead letter in topic dead-letters says what went wrong")
	}
	return &endedError{string(im.Failed.Reason)}
}

// finalJSON writes the final event for -o json.
func (a *app) finalJSON(im *follow.Import) error {
	var e schemas.Event
	switch {
	case im.Completed != nil:
		e = *im.Completed
	case im.Failed != nil:
		e = *im.Failed
	default:
		return errors.New("the import has no final event")
	}
	enc := json.NewEncoder(a.stdout)
	enc.SetIndent("", "  ")
	return enc.Encode(e)
}
