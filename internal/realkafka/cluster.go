package realkafka

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"golang.org/x/sync/errgroup"

	"github.com/bankimport/bankimport/internal/freeport"
	"github.com/bankimport/bankimport/internal/realkafka/node"
)

// clusterSize is the least with which one node can be missed: two of three are
// a majority of the controllers, and as many replicas as acks=all needs.
const clusterSize = 3

// Cluster is three Kafka nodes that this process started. Each is broker and
// controller; topics have three replicas, of which two must be in sync. The
// methods of a cluster and of its nodes are not for concurrent use.
type Cluster struct {
	nodes []*Broker
}

// StartCluster formats fresh data directories, starts three nodes on them and
// returns when all are in sync. On an error nothing is left running. Like
// [Start], it tries again where a port was taken.
func StartCluster(ctx context.Context, cfg Config) (*Cluster, error) {
	if cfg.Addr != "" {
		return nil, errors.New("start a Kafka cluster: Config.Addr is for a single broker")
	}
	p, err := cfg.program()
	if err != nil {
		return nil, err
	}
	for attempt := 1; ; attempt++ {
		c := new(Cluster)
		for i := range clusterSize {
			b := &Broker{program: p, dir: filepath.Join(cfg.Dir, fmt.Sprintf("cluster-%d", attempt), fmt.Sprintf("node-%d", i+1))}
			b.ready = c.awaitRunning
			c.nodes = append(c.nodes, b)
		}
		err := c.create(ctx, cfg)
		if err == nil {
			return c, nil
		}
		if attempt == 3 || !c.portTaken() {
			return nil, err
		}
	}
}

// create formats the nodes and starts them.
func (c *Cluster) create(ctx context.Context, cfg Config) error {
	addrs, err := freeport.Addrs(2 * clusterSize)
	if err != nil {
		return err
	}
	listen, controllers := addrs[:clusterSize], addrs[clusterSize:]
	voters := make([]string, clusterSize) // id@address:directory
	for i := range voters {
		voters[i] = fmt.Sprintf("%d@%s:%s", i+1, controllers[i], directoryID())
	}
	cluster := uuid.NewString()
	formats, formatCtx := errgroup.WithContext(ctx)
	for i, n := range c.nodes {
		layout := node.Layout{ID: i + 1, Nodes: clusterSize, Advertised: listen[i], Listen: listen[i], Controller: controllers[i]}
		formats.Go(func() error {
			return n.format(formatCtx, layout, strings.Join(controllers, ","), cfg.Properties, cluster, "--initial-controllers", strings.Join(voters, ","))
		})
	}
	if err := formats.Wait(); err != nil {
		return err
	}
	return c.Restart(ctx)
}

// directoryID is a new id the way Kafka writes them.
func directoryID() string {
	for {
		id := uuid.New()
		// A leading dash would read as an option.
		if s := base64.RawURLEncoding.EncodeToString(id[:]); s[0] != '-' {
			return s
		}
	}
}

// Brokers are the nodes' addresses. They stay the same across restarts.
func (c *Cluster) Brokers() []string {
	addrs := make([]string, len(c.nodes))
	for i, n := range c.nodes {
		addrs[i] = n.addr
	}
	return addrs
}

// Node returns node i of 0, 1, 2; its id in Kafka is i+1. Its Restart returns
// when the nodes that run, two or three, are in sync; with only one of them
// nothing can be waited for, and Restart returns when its process runs.
func (c *Cluster) Node(i int) *Broker { return c.nodes[i] }

// Restart starts the nodes that do not run, all at once, and returns when all
// three are in sync. On an error it kills all of them.
func (c *Cluster) Restart(ctx context.Context) error {
	for _, n := range c.nodes {
		if !n.running() {
			if err := n.launch(); err != nil {
				return errors.Join(err, c.Close())
			}
		}
	}
	if err := c.AwaitInSync(ctx); err != nil {
		logs := make([]string, len(c.nodes))
		for i, n := range c.nodes {
			logs[i] = fmt.Sprintf("end of the log of node %d:\n%s", i+1, n.logTail())
		}
		return errors.Join(fmt.Errorf("start a Kafka cluster: %w\n%s", err, strings.Join(logs, "\n")), c.Close())
	}
	return nil
}

// AwaitInSync returns when all three nodes answer, know of each other and have
// all replicas in sync. It fails when a node has ended.
func (c *Cluster) AwaitInSync(ctx context.Context) error {
	return awaitInSync(ctx, c.nodes)
}

// awaitRunning is AwaitInSync for the nodes that run, if they are a majority.
func (c *Cluster) awaitRunning(ctx context.Context) error {
	var running []*Broker
	for _, n := range c.nodes {
		if n.running() {
			running = append(running, n)
		}
	}
	if len(running) <= clusterSize/2 {
		return nil
	}
	return awaitInSync(ctx, running)
}

func awaitInSync(ctx context.Context, nodes []*Broker) error {
	addrs := make([]string, len(nodes))
	for i, n := range nodes {
		addrs[i] = n.addr
	}
	return node.AwaitReady(ctx, addrs, func() error {
		for _, n := range nodes {
			if err := n.ended(); err != nil {
				return fmt.Errorf("%s: %w", n.addr, err)
			}
		}
		return nil
	})
}

// Close kills all nodes. Asked to stop, the last ones would wait for minutes
// for a controller to let them go, and there is none any more.
func (c *Cluster) Close() error {
	var errs []error
	for _, n := range c.nodes {
		if n.running() {
			errs = append(errs, n.Kill())
		}
	}
	return errors.Join(errs...)
}

func (c *Cluster) portTaken() bool {
	for _, n := range c.nodes {
		if n.portTaken() {
			return true
		}
	}
	return false
}
