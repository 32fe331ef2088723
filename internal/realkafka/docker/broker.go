package docker

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/ory/dockertest/v3"
	dc "github.com/ory/dockertest/v3/docker"

	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka/node"
)

const (
	// stopGrace is how long a broker may take to stop when it is asked to.
	stopGrace = time.Minute
	// callLimit bounds a call that the engine answers at once.
	callLimit = time.Minute
	// label marks the containers of this package, with when they end at the latest.
	label = "bankimport.test.kafka.until"
)

// Config says what to run.
type Config struct {
	// Image to start, with its tag. Default: what [ImageVariable] says, else [DefaultImage].
	Image string
	// Dir takes the broker's log. Required; its owner removes it.
	Dir string
	// Properties are added to the server's, or replace them.
	Properties map[string]string
	// Lifetime after which the engine kills the container, should this process
	// have died without removing it. Default: 2 hours.
	Lifetime time.Duration
	// Getenv reads the environment. Default: os.Getenv.
	Getenv func(string) string
}

// Broker is one Kafka node in a container. Its methods are not for concurrent use.
type Broker struct {
	pool      *dockertest.Pool
	container *dockertest.Resource
	until     time.Time
	image     string
	addr      string
	log       string
	run       *run // the newest one; nil before the first
}

// Connect returns a pool of the Docker engine that the environment names (see
// dockertest), or an error where none answers.
func Connect(ctx context.Context) (*dockertest.Pool, error) {
	pool, err := dockertest.NewPool("")
	if err != nil {
		return nil, fmt.Errorf("find a Docker engine: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := pool.Client.PingWithContext(ctx); err != nil {
		return nil, fmt.Errorf("no Docker engine answers at %s: %w", pool.Client.Endpoint(), err)
	}
	return pool, nil
}

// Start runs a container and returns when the broker in it answers and has
// finalized transaction.version 2. On an error no container is left.
//
// A free port can be taken by somebody else before the engine binds it; then
// Start tries again with others.
func Start(ctx context.Context, pool *dockertest.Pool, cfg Config) (*Broker, error) {
	if cfg.Getenv == nil {
		cfg.Getenv = os.Getenv
	}
	cfg.Image = cmp.Or(cfg.Image, cfg.Getenv(ImageVariable), DefaultImage)
	cfg.Lifetime = cmp.Or(cfg.Lifetime, 2*time.Hour)
	if cfg.Dir == "" {
		return nil, errors.New("start Kafka in Docker: Config.Dir is empty: name a directory for its log")
	}
	if err := ensureImage(ctx, pool, cfg.Image); err != nil {
		return nil, err
	}
	if err := sweep(ctx, pool); err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		b := &Broker{
			pool:  pool,
			image: cfg.Image,
			until: time.Now().Add(cfg.Lifetime),
			log:   filepath.Join(cfg.Dir, fmt.Sprintf("container-%d.log", attempt)),
		}
		err := b.create(ctx, cfg)
		if err == nil {
			return b, nil
		}
		if attempt == 3 || !portTaken(err) {
			return nil, err
		}
	}
}

// create runs a new container and waits for its broker. On an error it removes it.
func (b *Broker) create(ctx context.Context, cfg Config) error {
	addrs, err := freeport.Addrs(2)
	if err != nil {
		return err
	}
	b.addr = addrs[0]
	_, port, err := net.SplitHostPort(b.addr)
	if err != nil {
		return err
	}
	// Inside and outside it is the same port: the broker calls itself at the
	// address that it advertises.
	layout := node.Layout{ID: 1, Nodes: 1, Advertised: b.addr, Listen: "0.0.0.0:" + port, Controller: addrs[1], Data: "/tmp/kafka-data"}
	properties := layout.Properties(map[string]string{"controller.quorum.voters": "1@" + addrs[1]})
	maps.Copy(properties, cfg.Properties)
	env := []string{"KAFKA_HEAP_OPTS=-Xms256m -Xmx512m"}
	for name, value := range properties {
		env = append(env, node.EnvName(name)+"="+value)
	}
	repository, tag := splitImage(cfg.Image)
	name := fmt.Sprintf("bankimport-test-kafka-%d-%s", os.Getpid(), port)
	b.container, err = b.pool.RunWithOptions(&dockertest.RunOptions{
		Name:         name,
		Repository:   repository,
		Tag:          tag,
		Env:          env,
		Labels:       map[string]string{label: b.until.UTC().Format(time.RFC3339)},
		ExposedPorts: []string{port + "/tcp"},
		PortBindings: map[dc.Port][]dc.PortBinding{dc.Port(port + "/tcp"): {{HostIP: "127.0.0.1", HostPort: port}}},
	}, func(host *dc.HostConfig) {
		host.PublishAllPorts = false // to nobody but this machine, and not what the image exposes
	})
	if err != nil {
		// One that could not be started was created nevertheless.
		return errors.Join(fmt.Errorf("start a container of %s: %w", cfg.Image, err), b.pool.RemoveContainerByName(name))
	}
	if err := b.began(ctx); err != nil {
		return errors.Join(err, b.Close())
	}
	return nil
}

// began follows the run that has just begun and waits until the broker is ready.
func (b *Broker) began(ctx context.Context) error {
	// Kills the container when its time is over, also when this process is gone.
	if err := b.container.Expire(uint(max(1, time.Until(b.until)/time.Second))); err != nil {
		return fmt.Errorf("limit the life of the container: %w", err)
	}
	run, err := follow(b.pool.Client, b.container.Container.ID, b.log)
	if err != nil {
		return err
	}
	b.run = run
	if err := node.AwaitReady(ctx, []string{b.addr}, b.run.ended); err != nil {
		return fmt.Errorf("start Kafka in a container of %s at %s: %w\nend of its log:\n%s", b.image, b.addr, err, logTail(b.log))
	}
	return nil
}

// String says what it runs on.
func (b *Broker) String() string { return "a Docker container of " + b.image }

// Addr is the broker's address. It stays the same across restarts.
func (b *Broker) Addr() string { return b.addr }

// LogPath is the file that takes the broker's output, of all its runs.
func (b *Broker) LogPath() string { return b.log }

// Kill ends the broker with SIGKILL and returns when it is gone. Data and
// address stay for [Broker.Restart].
func (b *Broker) Kill() error {
	if err := b.end(syscall.SIGKILL, callLimit); err != nil {
		return fmt.Errorf("kill Kafka: %w", err)
	}
	return nil
}

// Stop asks the broker to end, waits, and kills it when it does not, which is
// an error. Stopping one that has ended changes nothing.
//
// The engine's own way to stop is not for this: dockertest makes it wait and
// then kill.
func (b *Broker) Stop() error {
	err := b.end(syscall.SIGTERM, stopGrace)
	if errors.Is(err, context.DeadlineExceeded) {
		return errors.Join(fmt.Errorf("stop Kafka: it did not within %v of SIGTERM and was killed", stopGrace), b.Kill())
	}
	if err != nil {
		return fmt.Errorf("stop Kafka: %w", err)
	}
	return nil
}

// Restart starts a broker that was killed or stopped, on its old data, and
// returns when it is ready.
func (b *Broker) Restart(ctx context.Context) error {
	if b.run.ended() == nil {
		return errors.New("restart Kafka: it is running: kill or stop it first")
	}
	if err := b.pool.Client.StartContainerWithContext(b.container.Container.ID, nil, ctx); err != nil {
		return fmt.Errorf("restart Kafka: %w", err)
	}
	if err := b.began(ctx); err != nil {
		return errors.Join(err, b.Kill())
	}
	return nil
}

// Close removes the container with its data. The log stays.
func (b *Broker) Close() error {
	err := b.container.Close()
	if b.run != nil {
		<-b.run.done
	}
	if err != nil {
		return fmt.Errorf("remove the container: %w", err)
	}
	return nil
}

// end sends the signal and waits for the end of the run.
func (b *Broker) end(sig syscall.Signal, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	if b.run.ended() != nil {
		return nil
	}
	err := b.pool.Client.KillContainer(dc.KillContainerOptions{ID: b.container.Container.ID, Signal: dc.Signal(sig), Context: ctx})
	if _, ok := errors.AsType[*dc.ContainerNotRunning](err); err != nil && !ok {
		return err
	}
	select {
	case <-b.run.done:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// portTaken says whether the container failed to start because of a used port.
// The engine has no code for it.
func portTaken(err error) bool {
	return strings.Contains(err.Error(), "port is already allocated") || strings.Contains(err.Error(), "address already in use")
}
