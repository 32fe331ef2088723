package connection

import (
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/schemas"
	"github.com/bankimport/bankimport/stages/internal/flowtest"
)

// connected returns a machine whose import waits for the bank since start.
func connected(t *testing.T, timing Timing) (*flowtest.Machine, *bank) {
	t.Helper()
	m, b := newMachine(t, timing)
	mustSend(t, m, existing())
	return m, b
}

func connection(update, categories string) func() (finapi.Connection, error) {
	return func() (finapi.Connection, error) {
		c, err := readyConnection()
		c.UpdateStatus, c.CategorizationStatus = update, categories
		return c, err
	}
}

func accountsOf(accounts ...finapi.Account) func() ([]finapi.Account, error) {
	return func() ([]finapi.Account, error) { return accounts, nil }
}

// TestDownloadPolls: 2 s, growing to 15 s.
func TestDownloadPolls(t *testing.T) {
	t.Parallel()
	m, b := connected(t, Timing{})
	b.connection = connection(finapi.StatusInProgress, "")
	for range 10 {
		if events := mustFire(t, m); len(events) != 0 {
			t.Errorf("events %+v while nothing changes", events)
		}
	}
	var gaps []time.Duration
	for i := 1; i < len(b.looks); i++ {
		gaps = append(gaps, b.looks[i]-b.looks[i-1])
	}
	want := []time.Duration{
		2 * time.Second, 3 * time.Second, 4500 * time.Millisecond, 6750 * time.Millisecond, 10125 * time.Millisecond,
		15 * time.Second, 15 * time.Second, 15 * time.Second, 15 * time.Second,
	}
	if !slices.Equal(gaps, want) {
		t.Errorf("gaps %v, want %v", gaps, want)
	}
}

func TestDownloadDeadline(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		connection func() (finapi.Connection, error)
		accounts   func() ([]finapi.Account, error)
		code       string
	}{
		"in progress":       {connection(finapi.StatusInProgress, ""), nil, "IN_PROGRESS"},
		"unknown status":    {connection("SOMETHING", ""), nil, "SOMETHING"},
		"interface":         {readyConnection, accountsOf(account(1, finapi.InterfaceUpdated), account(2, finapi.InterfaceDownloadInProgress)), "DOWNLOAD_IN_PROGRESS"},
		"one of interfaces": {readyConnection, accountsOf(account(1, finapi.InterfaceUpdated, finapi.InterfaceDownloadInProgress)), "DOWNLOAD_IN_PROGRESS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := connected(t, Timing{})
			b.connection = c.connection
			if c.accounts != nil {
				b.accounts = c.accounts
			}
			if got, want := endingOf(t, runOut(t, m)), (ending{schemas.ReasonDownloadTimeout, c.code, 77}); got != want {
				t.Errorf("ended with %+v, want %+v", got, want)
			}
			if last := b.looks[len(b.looks)-1]; last != time.Hour {
				t.Errorf("last look after %s, want an hour", last)
			}
		})
	}
}

// TestBusy: 423 means not yet and burns no attempt, until the deadline.
func TestBusy(t *testing.T) {
	t.Parallel()
	for name, busy := range map[string]func(b *bank){
		"connection": func(b *bank) {
			b.connection = func() (finapi.Connection, error) { return finapi.Connection{}, errBusy }
		},
		"accounts": func(b *bank) { b.accounts = func() ([]finapi.Account, error) { return nil, errBusy } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := connected(t, Timing{})
			busy(b)
			for m.Wake.Before(start.Add(time.Hour)) {
				if events := mustFire(t, m); len(events) != 0 {
					t.Fatalf("events %+v while busy", events)
				}
			}
			for range 2 {
				if _, err := m.Fire(); !errors.Is(err, errBusy) || m.Now.Sub(start) != time.Hour {
					t.Fatalf("after %s: %v, want the error at the deadline", m.Now.Sub(start), err)
				}
			}
			b.connection, b.accounts = readyConnection, accountsOf(account(1, finapi.InterfaceUpdated))
			if got := endingOf(t, runOut(t, m)); got != (ending{}) {
				t.Errorf("ended with %+v, want connection-ready", got)
			}
		})
	}
}

// TestDownloadOutage: a deadline that passes while the provider is down does not
// end an import whose data is there.
func TestDownloadOutage(t *testing.T) {
	t.Parallel()
	m, b := connected(t, Timing{})
	b.connection = func() (finapi.Connection, error) { return finapi.Connection{}, errDown }
	m.Now = start.Add(5 * time.Hour)
	if _, err := m.Fire(); !errors.Is(err, errDown) {
		t.Fatalf("error %v, want the provider's", err)
	}
	b.connection = readyConnection
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
}

func TestUnavailable(t *testing.T) {
	t.Parallel()
	m, b := connected(t, Timing{})
	b.connection = func() (finapi.Connection, error) {
		return finapi.Connection{}, &finapi.Error{Code: finapi.CodeClientRefused, Class: finapi.ClassUnavailable, RetryAfter: 9 * time.Second}
	}
	_, err := m.Fire()
	if after, ok := pipeline.RetryAfter(err); !ok || after != 9*time.Second {
		t.Errorf("error %v, want unavailable for 9 s", err)
	}
}

func TestCategories(t *testing.T) {
	t.Parallel()
	type say = []func() (finapi.Connection, error) // the last one stays
	const loadedAt = 0
	readyPending := connection(finapi.StatusReady, finapi.StatusPending)
	for name, c := range map[string]struct {
		says        say
		categorized bool
		looks       []time.Duration
	}{
		"categorised at once": {say{readyConnection}, true, []time.Duration{0, 5 * time.Second}},
		"ready before pending": {
			say{readyConnection, readyPending, connection(finapi.StatusReady, finapi.StatusInProgress), readyConnection}, true,
			[]time.Duration{0, 5 * time.Second, 10 * time.Second, 15 * time.Second},
		},
		"pending, then ready": {say{readyPending, readyConnection}, true, []time.Duration{0, 5 * time.Second}},
		"busy in between": {
			say{readyConnection, func() (finapi.Connection, error) { return finapi.Connection{}, errBusy }, readyConnection}, true,
			[]time.Duration{0, 5 * time.Second, 10 * time.Second},
		},
		"downloading again": {
			say{readyConnection, connection(finapi.StatusInProgress, ""), readyConnection}, true,
			[]time.Duration{0, 5 * time.Second, 7 * time.Second, 12 * time.Second},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := connected(t, Timing{})
			b.connection = func() (finapi.Connection, error) { return c.says[min(len(b.looks), len(c.says))-1]() }
			events := runOut(t, m)
			ready := flowtest.Of[schemas.ConnectionReady](events)
			if len(ready) != 1 || ready[0].Categorized != c.categorized {
				t.Fatalf("connection-ready %+v, want categorized %v", ready, c.categorized)
			}
			if !slices.Equal(b.looks, c.looks) {
				t.Errorf("looks at %v, want %v", b.looks, c.looks)
			}
			last := 0
			for _, s := range flowtest.Of[schemas.ImportStatus](events) {
				if s.StepNo < last {
					t.Errorf("step falls to %s", s.Step)
				}
				last = s.StepNo
			}
		})
	}
	t.Run("never", func(t *testing.T) {
		t.Parallel()
		m, b := connected(t, Timing{})
		b.connection = readyPending
		ready := flowtest.Of[schemas.ConnectionReady](runOut(t, m))
		if len(ready) != 1 || ready[0].Categorized {
			t.Fatalf("connection-ready %+v, want it not categorised", ready)
		}
		if last := b.looks[len(b.looks)-1]; last != loadedAt+2*time.Minute {
			t.Errorf("went on after %s, want 2 min", last)
		}
	})
}

// TestNeverSettles: a connection that keeps going back to downloading is bounded
// by the download's deadline.
func TestNeverSettles(t *testing.T) {
	t.Parallel()
	m, b := connected(t, Timing{})
	b.connection = func() (finapi.Connection, error) {
		if len(b.looks)%2 == 0 {
			return connection(finapi.StatusInProgress, "")()
		}
		return readyConnection()
	}
	if got := endingOf(t, runOut(t, m)); got.Reason != schemas.ReasonDownloadTimeout {
		t.Errorf("ended with %+v, want download_timeout", got)
	}
}

func TestLoaded(t *testing.T) {
	t.Parallel()
	const (
		updated    = finapi.InterfaceUpdated
		fixed      = finapi.InterfaceUpdatedFixed
		failed     = finapi.InterfaceDownloadFailed
		deprecated = finapi.InterfaceDeprecated
	)
	for name, c := range map[string]struct {
		accounts []finapi.Account
		action   bool
		want     ending
		ready    []schemas.ConnectionAccount
	}{
		"all": {
			[]finapi.Account{account(2, updated), account(1, fixed)}, false, ending{},
			[]schemas.ConnectionAccount{{ProviderAccountID: 1, Loaded: true}, {ProviderAccountID: 2, Loaded: true}},
		},
		"one interface of two": {
			[]finapi.Account{account(1, failed, updated), account(2, deprecated, fixed)}, false, ending{},
			[]schemas.ConnectionAccount{{ProviderAccountID: 1, Loaded: true}, {ProviderAccountID: 2, Loaded: true}},
		},
		"some": {
			[]finapi.Account{account(1, updated), account(2, failed), account(3, deprecated), account(4), account(5, "NEW_WORD"), account(6, deprecated, failed)}, false, ending{},
			[]schemas.ConnectionAccount{
				{ProviderAccountID: 1, Loaded: true},
				{ProviderAccountID: 2, Failure: schemas.FailureDownloadFailed},
				{ProviderAccountID: 3, Failure: schemas.FailureDeprecated},
				{ProviderAccountID: 4, Failure: schemas.FailureNotDownloaded},
				{ProviderAccountID: 5, Failure: schemas.FailureNotDownloaded},
				{ProviderAccountID: 6, Failure: schemas.FailureDownloadFailed},
			},
		},
		"some, user must act": {
			[]finapi.Account{account(1, updated), account(2, failed), account(3, deprecated)}, true, ending{},
			[]schemas.ConnectionAccount{
				{ProviderAccountID: 1, Loaded: true},
				{ProviderAccountID: 2, Failure: schemas.FailureUserActionRequired},
				{ProviderAccountID: 3, Failure: schemas.FailureDeprecated},
			},
		},
		"none at all":         {nil, false, ending{schemas.ReasonNoMatchingAccounts, "", 77}, nil},
		"none, user must act": {nil, true, ending{schemas.ReasonNoMatchingAccounts, "", 77}, nil},
		"all failed":          {[]finapi.Account{account(1, failed), account(2, failed)}, false, ending{schemas.ReasonAllAccountsFailed, failed, 77}, nil},
		"all failed, act":     {[]finapi.Account{account(1, failed)}, true, ending{schemas.ReasonUserActionRequired, failed, 77}, nil},
		"only deprecated":     {[]finapi.Account{account(1, deprecated)}, false, ending{schemas.ReasonAllAccountsFailed, deprecated, 77}, nil},
		"no interface":        {[]finapi.Account{account(1)}, false, ending{schemas.ReasonAllAccountsFailed, "", 77}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := connected(t, Timing{})
			b.connection = func() (finapi.Connection, error) {
				c2, err := readyConnection()
				c2.UserActionRequired = c.action
				return c2, err
			}
			b.accounts = accountsOf(c.accounts...)
			events := runOut(t, m)
			if got := endingOf(t, events); got != c.want {
				t.Fatalf("ended with %+v, want %+v", got, c.want)
			}
			if c.ready != nil {
				compare(t, "accounts", flowtest.Of[schemas.ConnectionReady](events)[0].Accounts, c.ready)
			}
			if want := []time.Duration{0, 5 * time.Second}; !slices.Equal(b.looks, want) {
				t.Errorf("looks at %v, want %v: a verdict needs two", b.looks, want)
			}
		})
	}
}

// TestBadVerdictIsLookedAtTwice: what looks failed in the moment the download ends
// may be there a moment later.
func TestBadVerdictIsLookedAtTwice(t *testing.T) {
	t.Parallel()
	m, b := connected(t, Timing{})
	b.accounts = func() ([]finapi.Account, error) {
		if len(b.looks) == 1 {
			return nil, nil
		}
		return []finapi.Account{account(1, finapi.InterfaceUpdated)}, nil
	}
	if got := endingOf(t, runOut(t, m)); got != (ending{}) {
		t.Errorf("ended with %+v, want connection-ready", got)
	}
}

func TestConnectionGone(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err  error
		want ending
	}{
		"deleted":       {errGone, ending{schemas.ReasonConnectionDeleted, "NOT_FOUND", 77}},
		"forbidden":     {refused(403, "FORBIDDEN", finapi.ClassPermanent), ending{schemas.ReasonProviderError, "FORBIDDEN", 77}},
		"misconfigured": {refused(422, "MANDATOR_MISCONFIGURATION", finapi.ClassPermanent), ending{schemas.ReasonProviderMisconfigured, "MANDATOR_MISCONFIGURATION", 77}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, b := connected(t, Timing{})
			b.connection = func() (finapi.Connection, error) { return finapi.Connection{}, c.err }
			if got := endingOf(t, mustFire(t, m)); got != c.want {
				t.Errorf("ended with %+v, want %+v", got, c.want)
			}
			m, b = connected(t, Timing{})
			b.accounts = func() ([]finapi.Account, error) { return nil, c.err }
			if got := endingOf(t, mustFire(t, m)); got != c.want {
				t.Errorf("by its accounts: ended with %+v, want %+v", got, c.want)
			}
		})
	}
}
