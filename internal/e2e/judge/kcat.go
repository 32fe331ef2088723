package judge

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
	"time"

	"github.com/IBM/sarama"

	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
)

// maxLine bounds a line of kcat's output. The largest record is a dead letter
// of 2 MiB, and each of its bytes can take six characters.
const maxLine = 16 << 20

// FollowKcat reads with librdkafka, under read_committed: one kcat process per
// topic, each printing one JSON line per record. The caller closes the log.
func FollowKcat(cfg Config) (*Log, error) {
	kcat, err := exec.LookPath("kcat")
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("judge with librdkafka: no kcat in PATH: install it (Debian: apt-get install kcat)")
	}
	if err != nil {
		return nil, fmt.Errorf("judge with librdkafka: %w", err)
	}
	client, err := sarama.NewClient(cfg.Brokers, saramaConfig())
	if err != nil {
		return nil, fmt.Errorf("judge with librdkafka: %w", err)
	}
	places, err := placesOf(client, cfg)
	client.Close()
	if err != nil {
		return nil, err
	}

	log := newLog(cfg, places)
	ctx, cancel := context.WithCancel(context.Background())
	var reading sync.WaitGroup
	log.stop = func() {
		cancel()
		reading.Wait()
	}
	for _, topic := range cfg.Topics {
		k := kcatReader{path: kcat, brokers: cfg.Brokers, topic: cfg.Prefix + topic, log: log}
		first, err := k.start(ctx)
		if err != nil {
			log.Close()
			return nil, fmt.Errorf("judge topic %s with librdkafka: %w", topic, err)
		}
		reading.Go(func() {
			if err := k.read(ctx, first); err != nil && ctx.Err() == nil {
				log.fail(fmt.Errorf("kcat on topic %s ended: %w", topic, err))
			}
		})
	}
	return log, nil
}

// A kcatReader reads one topic.
type kcatReader struct {
	path    string
	brokers []string
	topic   string
	log     *Log
}

// A kcatProcess is started and not read yet.
type kcatProcess struct {
	*subprocess.Process
	out  *io.PipeReader
	w    *io.PipeWriter
	said *tail
}

func (k kcatReader) start(ctx context.Context) (kcatProcess, error) {
	cmd := exec.CommandContext(ctx, k.path, "-C",
		"-b", strings.Join(k.brokers, ","),
		"-t", k.topic,
		"-o", "beginning",
		"-J", // one JSON object per record
		"-u", // written at once
		"-q", // nothing else
		"-E", // goes on after errors that may pass
		"-X", "isolation.level=read_committed",
		"-X", "check.crcs=true",
		"-X", "fetch.wait.max.ms=100",
		"-X", "fetch.error.backoff.ms=50",
	)
	p := kcatProcess{said: &tail{}}
	p.out, p.w = io.Pipe()
	cmd.Stdout, cmd.Stderr = p.w, p.said
	var err error
	p.Process, err = subprocess.Start(cmd)
	return p, err
}

// Restarts of kcat, at the most and the pause before each.
const (
	kcatStarts = 50
	kcatPause  = 200 * time.Millisecond
)

// read hands all records to the log, until ctx ends. A node that has just come
// back may not know its topics yet, and kcat ends with that whatever it is told:
// the next one reads from the beginning again.
func (k kcatReader) read(ctx context.Context, p kcatProcess) error {
	for starts := 1; ; starts++ {
		var reading sync.WaitGroup
		var readErr error
		reading.Go(func() {
			readErr = readLines(p.out, k.log.add)
			p.out.CloseWithError(readErr) // kcat's next write fails
		})
		err := p.Wait()
		p.w.Close()
		reading.Wait()
		switch {
		case readErr != nil:
			return readErr
		case !strings.Contains(p.said.String(), "Unknown topic or partition") || starts == kcatStarts:
			return fmt.Errorf("%w: %s", cmp.Or(err, errors.New("exit status 0")), p.said)
		}
		select {
		case <-time.After(kcatPause):
		case <-ctx.Done():
			return ctx.Err()
		}
		k.log.readAgain(k.topic)
		if p, err = k.start(ctx); err != nil {
			return err
		}
	}
}

// readLines hands every record of kcat's output to add.
func readLines(out io.Reader, add func(Record)) error {
	lines := bufio.NewScanner(out)
	lines.Buffer(make([]byte, 64<<10), maxLine)
	for lines.Scan() {
		r, err := parseKcat(lines.Bytes())
		if err != nil {
			return err
		}
		add(r)
	}
	return lines.Err()
}

// tail keeps the end of what was written to it.
type tail struct {
	mu  sync.Mutex
	end []byte
}

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.end = append(t.end, b...)
	t.end = t.end[max(0, len(t.end)-2048):]
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return strings.TrimSpace(string(t.end))
}
