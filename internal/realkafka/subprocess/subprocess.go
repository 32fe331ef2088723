// Package subprocess runs the programs that tests start beside themselves: a
// broker, a reader, stages to be killed. They never outlive the test, also when
// it panics or is killed and runs no cleanup. Not for what is shipped.
package subprocess

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// Process is a program that runs or has run. Its methods may be called from
// several goroutines.
type Process struct {
	pid  int
	done chan struct{} // closed when the process has ended and err is set
	err  error
}

// Start starts the command and returns once it runs. The command's context and
// outputs work as usual; its Wait must not be called.
//
// The kernel ends the process when the thread that started it ends. A
// goroutine of its own holds that thread for as long as the process lives, and
// it is also the one that waits for it. Where the system has no such thing
// (other than Linux), a killed test may leave its processes behind.
func Start(cmd *exec.Cmd) (*Process, error) {
	p := &Process{done: make(chan struct{})}
	started := make(chan error, 1)
	go func() {
		defer close(p.done)
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		dieWithParent(cmd)
		if err := cmd.Start(); err != nil {
			started <- err
			return
		}
		p.pid = cmd.Process.Pid
		started <- nil
		p.err = cmd.Wait()
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start %s: %w", cmd.Path, err)
	}
	return p, nil
}

// PID is the process id.
func (p *Process) PID() int { return p.pid }

// Done is closed when the process has ended and its output was taken.
func (p *Process) Done() <-chan struct{} { return p.done }

// Wait returns how the process ended; nil means exit status 0.
func (p *Process) Wait() error {
	<-p.done
	return p.err
}

// Signal sends sig; a process that has already ended is no error.
func (p *Process) Signal(sig syscall.Signal) error {
	select {
	case <-p.done:
		return nil
	default:
	}
	proc, err := os.FindProcess(p.pid)
	if err != nil {
		return fmt.Errorf("find process %d: %w", p.pid, err)
	}
	if err := proc.Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("send %v to process %d: %w", sig, p.pid, err)
	}
	return nil
}

// Kill ends the process with SIGKILL and returns when it is gone.
func (p *Process) Kill() error {
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.done
	return nil
}

// Stop asks the process to end with SIGTERM and returns when it has. One that
// has not ended after the grace is killed, and that is an error.
func (p *Process) Stop(grace time.Duration) error {
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), grace)
	defer cancel()
	select {
	case <-p.done:
		return nil
	case <-ctx.Done():
		return errors.Join(fmt.Errorf("process %d did not stop within %v of SIGTERM and was killed", p.pid, grace), p.Kill())
	}
}
