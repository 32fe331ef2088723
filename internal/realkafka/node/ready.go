package node

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// transactionVersion is what exactly-once needs of the cluster: with 2, each
// transaction has its own producer epoch.
const transactionVersion = 2

// AwaitReady asks the nodes at addrs until each of them answers, knows of all
// of them and no others, has finalized transaction.version 2 and sees all their
// replicas in sync; until one of them has ended, which ended says with an
// error; or until ctx is done.
//
// Asking again on a clock is all there is: a broker tells nobody that it is ready.
func AwaitReady(ctx context.Context, addrs []string, ended func() error) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(addrs...), kgo.ClientID("realkafka-ready"))
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	defer cl.Close()

	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		notYet := ready(ctx, cl)
		if notYet == nil {
			return nil
		}
		if err := ended(); err != nil {
			return errors.Join(err, notYet)
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(context.Cause(ctx), notYet))
		}
	}
}

func ready(ctx context.Context, cl *kgo.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	// Each node is asked itself. What one knows, another may not know yet.
	nodes := cl.SeedBrokers()
	for _, n := range nodes {
		if err := knows(ctx, n, len(nodes)); err != nil {
			return err
		}
	}
	return nil
}

// knows says whether the node sees a cluster of so many nodes, all in sync.
func knows(ctx context.Context, n *kgo.Broker, nodes int) error {
	ask := kmsg.NewPtrApiVersionsRequest()
	ask.ClientSoftwareName, ask.ClientSoftwareVersion = "realkafka", "1" // refused without
	versions, err := ask.RequestWith(ctx, n)
	if err == nil {
		err = kerr.ErrorForCode(versions.ErrorCode)
	}
	if err != nil {
		return fmt.Errorf("ask for its versions: %w", err)
	}
	if !slices.ContainsFunc(versions.FinalizedFeatures, func(f kmsg.ApiVersionsResponseFinalizedFeature) bool {
		return f.Name == "transaction.version" && f.MaxVersionLevel >= transactionVersion
	}) {
		return fmt.Errorf("transaction.version %d is not finalized", transactionVersion)
	}
	meta, err := kmsg.NewPtrMetadataRequest().RequestWith(ctx, n) // of all topics
	if err != nil {
		return fmt.Errorf("ask for the brokers: %w", err)
	}
	var alive []int32
	for _, b := range meta.Brokers {
		alive = append(alive, b.NodeID)
	}
	if len(alive) != nodes {
		return fmt.Errorf("it names the brokers %v, want %d", alive, nodes)
	}
	for _, t := range meta.Topics {
		for _, p := range t.Partitions {
			for _, replica := range p.Replicas {
				if slices.Contains(alive, replica) && !slices.Contains(p.ISR, replica) {
					return fmt.Errorf("%s/%d: broker %d is not in sync", *t.Topic, p.Partition, replica)
				}
			}
			if p.Leader < 0 {
				return fmt.Errorf("%s/%d has no leader", *t.Topic, p.Partition)
			}
		}
	}
	return nil
}
