package realkafka

import (
	"bytes"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"

	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka/node"
	"github.com/bankimport/bankimport/internal/realkafka/subprocess"
)

//go:embed log4j2.properties
var log4j2 []byte

// stopGrace is how long a broker may take to stop when it is asked to.
const stopGrace = time.Minute

// Config says where a broker's parts are.
type Config struct {
	// Home holds the jars in libs. Default: what [HomeVariable] says, else
	// .cache/kafka in this module.
	Home string
	// Dir takes configuration, data and log. Required; its owner removes it.
	Dir string
	// Addr is the loopback address to listen on. Default: one that is free. Not
	// for a cluster.
	Addr string
	// Properties are added to the server's, or replace them.
	Properties map[string]string
	// AsShipped runs it with the heap and the collector of Kafka's own start script.
	// Else it is kept small: tests start many.
	AsShipped bool
	// Getenv reads the environment. Default: os.Getenv.
	Getenv func(string) string
}

// program is how a class of the broker's jars is run.
type program struct {
	java, classpath string
	jvm             []string // memory and how it is collected
}

func (cfg *Config) program() (program, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	if cfg.Home == "" {
		home, err := defaultHome(cfg.Getenv)
		if err != nil {
			return program{}, err
		}
		cfg.Home = home
	}
	launcher, err := java(cfg.Getenv)
	if err != nil {
		return program{}, err
	}
	cp, err := classpath(cfg.Home)
	if err != nil {
		return program{}, err
	}
	if cfg.Dir == "" {
		return program{}, errors.New("start Kafka: Config.Dir is empty: name a directory for its data")
	}
	jvm := []string{"-Xms256m", "-Xmx512m", "-XX:+UseSerialGC"}
	if cfg.AsShipped {
		jvm = []string{"-Xms1g", "-Xmx1g", "-server", "-XX:+UseG1GC", "-XX:MaxGCPauseMillis=20", "-XX:InitiatingHeapOccupancyPercent=35", "-XX:+ExplicitGCInvokesConcurrent"}
	}
	return program{launcher, cp, jvm}, nil
}

// Broker is one Kafka node that this process started: alone, or as one of a
// [Cluster]. Its methods are not for concurrent use.
type Broker struct {
	program
	dir  string
	addr string
	// ready returns when the broker, and its cluster if it is of one, is ready.
	ready func(context.Context) error
	run   *subprocess.Process // the newest one
}

// Start formats a fresh data directory, starts a broker on it and returns when
// it answers and has finalized transaction.version 2. On an error nothing is
// left running.
//
// A free port can be taken by somebody else before the broker listens on it;
// then Start tries again with others.
func Start(ctx context.Context, cfg Config) (*Broker, error) {
	p, err := cfg.program()
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		b := &Broker{program: p, dir: filepath.Join(cfg.Dir, fmt.Sprintf("broker-%d", attempt))}
		b.ready = b.readyAlone
		err := b.create(ctx, cfg)
		if err == nil {
			return b, nil
		}
		if attempt == 3 || !b.portTaken() || cfg.Addr != "" {
			return nil, err
		}
	}
}

// create writes the configuration, formats the data directory and starts.
func (b *Broker) create(ctx context.Context, cfg Config) error {
	addrs, err := freeport.Addrs(2)
	if err != nil {
		return err
	}
	if cfg.Addr != "" {
		addrs[0] = cfg.Addr
	}
	layout := node.Layout{ID: 1, Nodes: 1, Advertised: addrs[0], Listen: addrs[0], Controller: addrs[1]}
	if err := b.format(ctx, layout, addrs[1], cfg.Properties, uuid.NewString(), "--standalone"); err != nil {
		return err
	}
	return b.Restart(ctx)
}

// format writes the configuration and formats the data directory.
func (b *Broker) format(ctx context.Context, l node.Layout, controllers string, more map[string]string, cluster string, args ...string) error {
	b.addr = l.Advertised
	l.Data = b.path("data")
	properties := l.Properties(map[string]string{"controller.quorum.bootstrap.servers": controllers})
	maps.Copy(properties, more)
	if err := os.MkdirAll(b.dir, 0o755); err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	for name, content := range map[string][]byte{
		b.path("server.properties"): propertiesFile(properties),
		b.path("log4j2.properties"): log4j2,
	} {
		if err := os.WriteFile(name, content, 0o644); err != nil {
			return fmt.Errorf("start Kafka: %w", err)
		}
	}
	format := b.command(ctx, "kafka.tools.StorageTool",
		append([]string{"format", "-t", cluster, "-c", b.path("server.properties")}, args...)...)
	if out, err := format.CombinedOutput(); err != nil {
		return fmt.Errorf("format Kafka's data directory: %w: %s", err, bytes.TrimSpace(out))
	}
	return nil
}

func propertiesFile(p map[string]string) []byte {
	var b bytes.Buffer
	for _, k := range slices.Sorted(maps.Keys(p)) {
		fmt.Fprintf(&b, "%s=%s\n", k, strings.ReplaceAll(p[k], `\`, `\\`))
	}
	return b.Bytes()
}

// Addr is the broker's address. It stays the same across restarts.
func (b *Broker) Addr() string { return b.addr }

// PID is the process id of the newest run.
func (b *Broker) PID() int { return b.run.PID() }

// LogPath is the file that takes the broker's output, of all its runs.
func (b *Broker) LogPath() string { return b.path("broker.log") }

// Kill ends the process with SIGKILL and returns when it is gone. Data and
// address stay for [Broker.Restart].
func (b *Broker) Kill() error {
	if err := b.run.Kill(); err != nil {
		return fmt.Errorf("kill Kafka: %w", err)
	}
	return nil
}

// Restart starts a broker that was killed or stopped, on its old data, and
// returns when it is ready.
func (b *Broker) Restart(ctx context.Context) error {
	if err := b.launch(); err != nil {
		return err
	}
	if err := b.ready(ctx); err != nil {
		return errors.Join(fmt.Errorf("start Kafka at %s: %w\nend of its log:\n%s", b.addr, err, b.logTail()), b.Kill())
	}
	return nil
}

// launch starts the process and does not wait until it is ready.
func (b *Broker) launch() error {
	if b.running() {
		return errors.New("restart Kafka: it is running: kill or stop it first")
	}
	log, err := os.OpenFile(b.LogPath(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("start Kafka: %w", err)
	}
	defer log.Close() // the process has its own copy

	// Not bound to a context: that limits the wait, the process outlives it.
	cmd := b.command(context.Background(), "kafka.Kafka", b.path("server.properties"))
	cmd.Stdout, cmd.Stderr = log, log
	run, err := subprocess.Start(cmd)
	if err != nil {
		return err
	}
	b.run = run
	return nil
}

func (b *Broker) running() bool {
	if b.run == nil {
		return false
	}
	select {
	case <-b.run.Done():
		return false
	default:
		return true
	}
}

func (b *Broker) readyAlone(ctx context.Context) error {
	return node.AwaitReady(ctx, []string{b.addr}, b.ended)
}

// ended says how the process ended, where it has.
func (b *Broker) ended() error {
	if b.running() {
		return nil
	}
	return fmt.Errorf("the process ended: %w", cmp.Or(b.run.Wait(), errors.New("exit status 0")))
}

// Stop asks the broker to end, waits, and kills it when it does not, which is
// an error. Stopping one that has ended changes nothing.
func (b *Broker) Stop() error {
	if err := b.run.Stop(stopGrace); err != nil {
		return fmt.Errorf("stop Kafka: %w", err)
	}
	return nil
}

func (b *Broker) path(name string) string { return filepath.Join(b.dir, name) }

func (b *Broker) command(ctx context.Context, class string, args ...string) *exec.Cmd {
	all := slices.Concat(b.jvm, []string{
		"-Djava.awt.headless=true",
		"-Dlog4j2.configurationFile=" + b.path("log4j2.properties"),
		"-cp", b.classpath, class,
	}, args)
	return exec.CommandContext(ctx, b.java, all...)
}

// portTaken says whether the last start failed because of a used port.
func (b *Broker) portTaken() bool {
	log, err := os.ReadFile(b.LogPath())
	return err == nil && bytes.Contains(log, []byte("Address already in use"))
}

// logTail returns the last lines of the broker's log.
func (b *Broker) logTail() string {
	log, err := os.ReadFile(b.LogPath())
	if err != nil {
		return err.Error()
	}
	return string(log[max(0, len(log)-4096):])
}
