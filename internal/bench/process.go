package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/bankimport/bankimport/internal/bench/contest"
	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
)

// A process is a contestant at work.
type process struct {
	run    *subprocess.Process
	first  chan struct{}       // closed at its first commit
	report chan contest.Report // takes the report, if there is one, and is closed at the end
}

// start starts a contestant. The caller waits for it or kills it.
func (l *lab) start(program string, t contest.Task) (*process, error) {
	if l.profiles != "" {
		t.Profile = filepath.Join(l.profiles, t.Group+"-"+strings.ReplaceAll(program, " ", "-")+".prof")
	}
	task, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	cmd, err := l.command(program)
	if err != nil {
		return nil, err
	}
	said, say := io.Pipe()
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(task), say, l.stderr
	run, err := subprocess.Start(cmd)
	if err != nil {
		return nil, err
	}
	p := &process{run: run, first: make(chan struct{}), report: make(chan contest.Report, 1)}
	go p.listen(said) // ends with the process
	go func() {
		<-run.Done()
		say.Close()
	}()
	return p, nil
}

// other is put before the name of a contestant of the other build.
const other = "other "

func (l *lab) command(program string) (*exec.Cmd, error) {
	if program == "watermill" {
		return exec.Command(l.watermill), nil
	}
	if program, ok := strings.CutPrefix(program, other); ok {
		return exec.Command(l.other, "contestant", program), nil
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	return exec.Command(self, "contestant", program), nil
}

// listen hears what the process says until it ends.
func (p *process) listen(said io.Reader) {
	defer close(p.report)
	for lines := json.NewDecoder(said); ; {
		var m contest.Message
		if lines.Decode(&m) != nil {
			return
		}
		if m.First {
			close(p.first)
		}
		if m.Report != nil {
			p.report <- *m.Report
		}
	}
}

// wait returns what the process has measured when it has ended. It kills it
// when ctx ends first.
func (p *process) wait(ctx context.Context) (contest.Report, error) {
	select {
	case <-p.run.Done():
	case <-ctx.Done():
		return contest.Report{}, errors.Join(context.Cause(ctx), p.run.Kill())
	}
	report, ok := <-p.report
	if err := p.run.Wait(); err != nil {
		return contest.Report{}, err
	}
	if !ok {
		return contest.Report{}, errors.New("ended without a report")
	}
	return report, nil
}

// started waits for the first commit.
func (p *process) started(ctx context.Context) error {
	select {
	case <-p.first:
		return nil
	case <-p.run.Done():
		return fmt.Errorf("ended before its first commit: %w", p.run.Wait())
	case <-ctx.Done():
		return errors.Join(ctx.Err(), p.run.Kill())
	}
}
