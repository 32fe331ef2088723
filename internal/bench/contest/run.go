package contest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/pprof"
)

// A Loop is a contestant. It works until ctx is done and counts what it commits.
type Loop func(ctx context.Context, t Task, m *Meter) error

// Run reads a task from in, lets the loop work until the measurement is over, and
// writes the report to out.
func Run(ctx context.Context, in io.Reader, out io.Writer, loop Loop) (err error) {
	var t Task
	if err := json.NewDecoder(in).Decode(&t); err != nil {
		return fmt.Errorf("read the task: %w", err)
	}
	if t.Profile != "" {
		stop, err := profile(t.Profile)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, stop()) }()
	}
	say := json.NewEncoder(out)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var said error
	m := newMeter(t, func() { said = say.Encode(Message{First: true}) }, cancel)
	if err := loop(ctx, t, m); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case said != nil || m.err != nil:
		return errors.Join(said, m.err)
	case !m.ended:
		return errors.New("stopped before the measurement was over")
	case m.report.Records == 0:
		return fmt.Errorf("nothing was measured: all %d records were committed before the warm-up of %v was over, or in one go", m.total, t.Warmup)
	}
	return say.Encode(Message{Report: &m.report})
}

func profile(name string) (stop func() error, err error) {
	f, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return func() error {
		pprof.StopCPUProfile()
		return f.Close()
	}, nil
}
