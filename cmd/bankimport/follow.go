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
// import, or an error if it cannot be followed. With past it says first where the
// import stands, which may have ended long ago.
func (a *app) followOne(ctx context.Context, f *follow.Follower, id string, past bool, p progress) (*follow.Import, error) {
	im := &follow.Import{ID: id}
	defer p.close()
	for {
		if past && f.CaughtUp() {
			past = false
			p.show(im)
		}
		if f.CaughtUp() && over(im) { // before that a newer run of it may follow
			return im, nil
		}
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
			if !past {
				p.show(im)
			}
		}
	}
}

// over reports whether nothing more comes of an import: it has ended, and its
// last status is there too, or none is left of it.
func over(im *follow.Import) bool {
	return im.Ended() && (im.Status.Step == "" || final(im.Status.Step))
}

// progress shows how an import gets on.
type progress interface {
	// event takes each event, those that were there before too.
	event(im *follow.Import, r follow.Record) error
	// show is where the import stands: once what was there has been read, and
	// with each event after that.
	show(im *follow.Import)
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

func (jsonProgress) show(*follow.Import) {}
func (jsonProgress) close()              {}

// textProgress talks to a person: one line that is written anew on a terminal,
// a line per step elsewhere.
type textProgress struct {
	w        io.Writer
	terminal bool
	formTold int // run whose form was told
	last     string
	open     bool // a line is begun
}

func (p *textProgress) event(*follow.Import, follow.Record) error { return nil }

func (p *textProgress) show(im *follow.Import) {
	step := im.Step()
	if final(step) {
		return // the result tells
	}
	if step == schemas.StepFormOpen && p.formTold < im.Run {
		if im.FormURL == "" {
			return // the form is on another topic, and comes with this status
		}
		p.formTold = im.Run
		p.tellForm(im)
	}
	line := describe(im)
	if im.LastSeen.IsZero() {
		line = "nothing is known of it yet; waiting"
	}
	if line == p.last {
		return
	}
	p.last = line
	if p.terminal {
		p.open = true
		fmt.Fprint(p.w, clearLine, "  ", line)
		return
	}
	fmt.Fprintf(p.w, "  %s\n", line)
}

// clearLine lets a terminal write its line anew.
const clearLine = "\r\x1b[K"

func (p *textProgress) tellForm(im *follow.Import) {
	if p.open {
		p.open = false
		fmt.Fprint(p.w, clearLine)
	}
	valid := ""
	if at := im.Status.FormExpiresAt; !at.IsZero() {
		valid = fmt.Sprintf(" (valid until %s)", at.Local().Format(time.TimeOnly))
	}
	fmt.Fprintf(p.w, "open this form%s: %s\n", valid, im.FormURL)
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
	return &textProgress{w: a.stderr, terminal: ok && term.IsTerminal(int(f.Fd())) && os.Getenv("TERM") != "dumb"}
}

func final(s schemas.Step) bool { return s == schemas.StepCompleted || s == schemas.StepFailed }

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
	s := fmt.Sprintf("completed in %s: %s, %s", took(c.CompletedAt.Sub(c.StartedAt.Time)),
		count(loaded, "account"), count(c.Transactions, "transaction"))
	if missing := len(c.Accounts) - loaded; missing > 0 {
		s += fmt.Sprintf(", %s not loaded", count(missing, "account"))
	}
	switch reconciled {
	case loaded:
		if loaded == 0 {
			return s
		}
		return s + ", all reconciled"
	case 0:
		return s + ", none reconciled"
	default:
		return s + fmt.Sprintf(", %d reconciled", reconciled)
	}
}

// took writes a duration as precisely as somebody cares for it.
func took(d time.Duration) string {
	switch {
	case d < 10*time.Second:
		return fmt.Sprintf("%.1f s", d.Seconds())
	case d < 2*time.Minute:
		return fmt.Sprintf("%.0f s", d.Seconds())
	default:
		return fmt.Sprintf("%.0f min", d.Minutes())
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
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
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
	if output != outputText {
		return &endedError{string(im.Failed.Reason)}
	}
	switch {
	case im.Failed.Reason == schemas.ReasonGaveUp:
		fmt.Fprintf(a.stderr, "its dead letter says what went wrong: bankimport dead-letters list --import %s\n", im.ID)
	case im.Failed.Retryable:
		fmt.Fprintln(a.stderr, "a new import may succeed: request it again, with a new id")
	case im.Failed.Reason == schemas.ReasonAlreadyConnected && im.Failed.BankConnectionID != 0:
		fmt.Fprintf(a.stderr, "the user has this bank already; read it again with: bankimport import --user %s --connection %d\n", im.UserID, im.Failed.BankConnectionID)
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
