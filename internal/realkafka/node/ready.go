package realkafka

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
)

// transactionVersion is what exactly-once needs of the cluster: with 2, each
// transaction has its own producer epoch.
const transactionVersion = 2

// awaitReady asks the broker until it answers as a cluster with transactions,
// until its process has ended or until ctx is done.
//
// Asking again on a clock is all there is: the broker tells nobody that it is ready.
func (b *Broker) awaitReady(ctx context.Context) error {
	cl, err := kgo.NewClient(kgo.SeedBrokers(b.addr), kgo.ClientID("realkafka-ready"))
	if err != nil {
		return fmt.Errorf("ask whether it is ready: %w", err)
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)

	again := time.NewTicker(100 * time.Millisecond)
	defer again.Stop()
	for {
		notYet := ready(ctx, admin)
		if notYet == nil {
			return nil
		}
		select {
		case <-again.C:
		case <-b.run.Done():
			return fmt.Errorf("the process ended: %w", errors.Join(b.run.Wait(), notYet))
		case <-ctx.Done():
			return fmt.Errorf("not ready: %w", errors.Join(context.Cause(ctx), notYet))
		}
	}
}

func ready(ctx context.Context, admin *kadm.Client) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	meta, err := admin.BrokerMetadata(ctx)
	if err != nil {
		return err
	}
	if len(meta.Brokers) != 1 {
		return fmt.Errorf("it names %d brokers, want 1", len(meta.Brokers))
	}
	versions, err := admin.ApiVersions(ctx)
	if err != nil {
		return err
	}
	for _, v := range versions {
		if v.Err != nil {
			return v.Err
		}
		for _, f := range v.Raw().FinalizedFeatures {
			if f.Name == "transaction.version" && f.MaxVersionLevel >= transactionVersion {
				return nil
			}
		}
	}
	return fmt.Errorf("transaction.version %d is not finalized", transactionVersion)
}
