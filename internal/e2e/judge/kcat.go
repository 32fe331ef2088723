package judge

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"

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
		cmd := exec.CommandContext(ctx, kcat, "-C",
			"-b", strings.Join(cfg.Brokers, ","),
			"-t", cfg.Prefix+topic,
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
		var said tail
		out, w := io.Pipe()
		cmd.Stdout, cmd.Stderr = w, &said
		process, err := subprocess.Start(cmd)
		if err != nil {
			log.Close()
			return nil, fmt.Errorf("judge topic %s with librdkafka: %w", topic, err)
		}
		reading.Go(func() {
			err := process.Wait()
			if ctx.Err() == nil {
				log.fail(fmt.Errorf("kcat on topic %s ended: %w: %s", topic, err, said.String()))
			}
			w.Close()
		})
		reading.Go(func() {
			err := readLines(out, log.add)
			if err != nil {
				log.fail(fmt.Errorf("topic %s: %w", topic, err))
			}
			out.CloseWithError(err) // kcat's next write fails
		})
	}
	return log, nil
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
