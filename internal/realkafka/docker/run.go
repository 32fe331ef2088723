package docker

import (
	"context"
	"errors"
	"fmt"
	"os"

	dc "github.com/ory/dockertest/v3/docker"
)

// run is one run of a container, from its start to its end.
type run struct {
	done chan struct{} // closed when the container does not run any more and err is set
	err  error
}

// follow copies what the container says, from the beginning of its first run,
// to the file, until it ends.
func follow(client *dc.Client, id, file string) (*run, error) {
	out, err := os.Create(file)
	if err != nil {
		return nil, fmt.Errorf("keep the container's log: %w", err)
	}
	r := &run{done: make(chan struct{})}
	go func() {
		defer close(r.done)
		defer out.Close()
		logged := client.Logs(dc.LogsOptions{
			Context: context.Background(), Container: id, OutputStream: out, ErrorStream: out, Follow: true, Stdout: true, Stderr: true,
		})
		code, err := client.WaitContainerWithContext(id, context.Background())
		if _, gone := errors.AsType[*dc.NoSuchContainer](err); gone {
			r.err = errors.New("the container was removed")
			return
		}
		r.err = errors.Join(fmt.Errorf("the container ended with status %d", code), err, logged)
	}()
	return r, nil
}

// ended says how the container ended, where it has.
func (r *run) ended() error {
	select {
	case <-r.done:
		return r.err
	default:
		return nil
	}
}

// logTail returns the last lines of a log.
func logTail(file string) string {
	log, err := os.ReadFile(file)
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}
