package connection

import (
	"errors"
	"fmt"
	"time"
)

// formPace is the least time between two reads of one form. The provider asks
// for it, so it is no setting.
const formPace = time.Second

// Timing is how long the stage waits for what. Zero values mean the defaults.
type Timing struct {
	// FormPoll is how often an open form is read although nobody has hinted
	// that it has ended, give or take a tenth. At least a second. Default 30 s.
	FormPoll time.Duration
	// FormGrace is how long after its end a form is waited for. Default 2 min.
	FormGrace time.Duration
	// SecondLook and ThirdLook are how long after a read which a hint has
	// caused, and which has found the form open, it is read again. Default 3 s
	// and 10 s.
	SecondLook, ThirdLook time.Duration
	// DownloadPoll is how long after the first look at a connection comes the
	// second; from then on waits grow by half, up to DownloadPollMost. Default
	// 2 s and 15 s.
	DownloadPoll, DownloadPollMost time.Duration
	// DownloadDeadline is how long the bank's download may take. Default 60 min.
	DownloadDeadline time.Duration
	// CategoryPoll is how often a connection that is loaded is looked at for
	// its categories. Default 5 s.
	CategoryPoll time.Duration
	// CategoryDeadline is how long categories are waited for. Default 2 min.
	CategoryDeadline time.Duration
}

// Validate reports everything that is wrong with t.
func (t Timing) Validate() error {
	var errs []error
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"FormPoll", t.FormPoll}, {"FormGrace", t.FormGrace},
		{"SecondLook", t.SecondLook}, {"ThirdLook", t.ThirdLook},
		{"DownloadPoll", t.DownloadPoll}, {"DownloadPollMost", t.DownloadPollMost}, {"DownloadDeadline", t.DownloadDeadline},
		{"CategoryPoll", t.CategoryPoll}, {"CategoryDeadline", t.CategoryDeadline},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("connection: %s is negative", d.name))
		}
	}
	if t.FormPoll > 0 && t.FormPoll < formPace {
		errs = append(errs, fmt.Errorf("connection: FormPoll is %s; the provider asks for at least %s", t.FormPoll, formPace))
	}
	if t := t.WithDefaults(); t.DownloadPoll > t.DownloadPollMost {
		errs = append(errs, fmt.Errorf("connection: DownloadPoll (%s) is above DownloadPollMost (%s)", t.DownloadPoll, t.DownloadPollMost))
	}
	return errors.Join(errs...)
}

// WithDefaults returns t with every zero replaced by its default.
func (t Timing) WithDefaults() Timing {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&t.FormPoll, 30*time.Second)
	def(&t.FormGrace, 2*time.Minute)
	def(&t.SecondLook, 3*time.Second)
	def(&t.ThirdLook, 10*time.Second)
	def(&t.DownloadPoll, 2*time.Second)
	def(&t.DownloadPollMost, 15*time.Second)
	def(&t.DownloadDeadline, time.Hour)
	def(&t.CategoryPoll, 5*time.Second)
	def(&t.CategoryDeadline, 2*time.Minute)
	return t
}

// downloadWait is how long to wait after so many looks.
func (t Timing) downloadWait(looks int) time.Duration {
	d := t.DownloadPoll
	for range looks {
		if d >= t.DownloadPollMost {
			break
		}
		d += d / 2
	}
	return min(d, t.DownloadPollMost)
}

// later returns the later of two times.
func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// earlier returns the earlier of two times.
func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
