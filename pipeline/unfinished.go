package pipeline

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"
)

// What is here is about one fault. A broker that is alone and is killed between the decision about a transaction and
// its markers may come back without them: its coordinator calls the transaction
// complete, and the partitions can be read no further (seen with Kafka 4.4.0 and a
// plain client). Nobody but the owner of the transactional id can put that right: by
// another transaction that writes nothing, in the same partitions and with the same
// end, whose markers close the old one.

// An ending is how the last transaction of a transactional id ended.
type ending struct {
	known    bool // false: there was none, or it will be aborted
	commit   bool
	producer int64
	epoch    int16 // of its records
}

// lastEnding asks for it. It has to be asked before the producer is initialised: the
// coordinator then forgets.
func (c *committer) lastEnding(ctx context.Context) (ending, error) {
	req := kmsg.NewPtrDescribeTransactionsRequest()
	req.TransactionalIDs = []string{c.transactionalID()}
	var last ending
	err := retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
		resp, err := req.RequestWith(ctx, c.admin)
		if err != nil {
			return err
		}
		for _, t := range resp.TransactionStates {
			switch err := kerr.ErrorForCode(t.ErrorCode); {
			case errors.Is(err, kerr.TransactionalIDNotFound):
			case err != nil:
				return err
			case strings.HasPrefix(t.State, "Prepare"), strings.HasPrefix(t.State, "Complete"):
				// Every end of a transaction raises the epoch (transaction.version 2).
				last = ending{true, strings.HasSuffix(t.State, "Commit"), t.ProducerID, t.ProducerEpoch - 1}
			}
		}
		return nil
	})
	return last, err
}

// A connectionCut notes that a connection has ended: the broker may have been killed.
// It takes a client that always waits for some answer, as consumers do, to notice that
// before the next request.
type connectionCut struct{ happened atomic.Bool }

// OnBrokerDisconnect implements [kgo.HookBrokerDisconnect].
func (c *connectionCut) OnBrokerDisconnect(kgo.BrokerMetadata, net.Conn) { c.happened.Store(true) }

// makeSure looks whether the last transaction is still open somewhere, before another
// one follows whose markers would end both.
func (c *committer) makeSure(ctx context.Context) error {
	if !c.last.known { // else it was seen, and could not be put right yet
		last, err := c.lastEnding(ctx)
		if err != nil || !last.known {
			return err
		}
		open, err := c.openIn(ctx, last)
		if err != nil {
			return err
		}
		pending, err := c.offsetsPending(ctx)
		if err != nil || len(open) == 0 && !pending {
			return err
		}
		c.last = last
	}
	return c.freshProducer(ctx)
}

// endAgain ends the last transaction where it is still open, with the producer that
// has just been initialised.
func (c *committer) endAgain(ctx context.Context, last ending, id int64, epoch int16) error {
	open, err := c.openIn(ctx, last)
	if err != nil {
		return err
	}
	pending, err := c.offsetsPending(ctx)
	if err != nil {
		return err
	}
	if len(open) == 0 && !pending {
		return nil
	}
	c.log.Warn("the last transaction is complete but for its markers: ending it once more", "commit", last.commit, "partitions", open, "offsets", pending)
	// The requests of version 2 cannot name partitions without writing to them.
	cl, err := kgo.NewClient(c.options(kgo.WithContext(ctx), kgo.MaxVersions(kversion.V3_9_0()))...)
	if err != nil {
		return fatalf("kafka client: %w", err)
	}
	defer cl.Close()
	txn := c.transactionalID()
	if len(open) > 0 {
		add := kmsg.NewPtrAddPartitionsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch = txn, id, epoch
		for topic, partitions := range open {
			t := kmsg.NewAddPartitionsToTxnRequestTopic()
			t.Topic, t.Partitions = topic, partitions
			add.Topics = append(add.Topics, t)
		}
		err := retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
			resp, err := add.RequestWith(ctx, cl)
			if err != nil {
				return err
			}
			for _, t := range resp.Topics {
				for _, p := range t.Partitions {
					if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
						return err
					}
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("add partitions to the transaction: %w", err)
		}
	}
	if pending {
		add := kmsg.NewPtrAddOffsetsToTxnRequest()
		add.TransactionalID, add.ProducerID, add.ProducerEpoch, add.Group = txn, id, epoch, c.group
		err := retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
			resp, err := add.RequestWith(ctx, cl)
			if err != nil {
				return err
			}
			return kerr.ErrorForCode(resp.ErrorCode)
		})
		if err != nil {
			return fmt.Errorf("add the group to the transaction: %w", err)
		}
	}
	end := kmsg.NewPtrEndTxnRequest()
	end.TransactionalID, end.ProducerID, end.ProducerEpoch, end.Commit = txn, id, epoch, last.commit
	return retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
		resp, err := end.RequestWith(ctx, cl)
		if err != nil {
			return err
		}
		return kerr.ErrorForCode(resp.ErrorCode)
	})
}

// openIn are the partitions in which a transaction is open, by topic: of those whose
// producers the Kafka user may see. It may see those of the state topic.
func (c *committer) openIn(ctx context.Context, last ending) (map[string][]int32, error) {
	topics := kadm.TopicsSet{}
	topics.Add(c.state)
	for _, topic := range c.outputs {
		topics.Add(topic)
	}
	var described kadm.DescribedProducersTopics
	err := retryKafka(ctx, c.cfg.TransactionTimeout, func() (err error) {
		described, err = kadm.NewClient(c.admin).DescribeProducers(ctx, topics)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("describe producers: %w", err)
	}
	open := map[string][]int32{}
	for _, t := range described {
		for _, p := range t.Partitions {
			for _, producer := range p.ActiveProducers {
				if producer.ProducerID == last.producer && producer.ProducerEpoch == last.epoch && producer.CurrentTxnStartOffset >= 0 {
					open[t.Topic] = append(open[t.Topic], p.Partition)
				}
			}
		}
	}
	return open, nil
}

// Pending offsets of a member that works are there for milliseconds.
const (
	pendingLooks = 10
	pendingPause = 100 * time.Millisecond
)

// offsetsPending reports whether the group has offsets of a transaction that does not
// end. The group does not say whose they are.
func (c *committer) offsetsPending(ctx context.Context) (bool, error) {
	var stuck []int32
	for look := range pendingLooks {
		now, err := c.unstable(ctx)
		if err != nil {
			return false, fmt.Errorf("fetch offsets: %w", err)
		}
		if look == 0 {
			stuck = now
		} else {
			stuck = slices.DeleteFunc(stuck, func(p int32) bool { return !slices.Contains(now, p) })
		}
		if len(stuck) == 0 {
			return false, nil
		}
		if !sleep(ctx, pendingPause) {
			return false, ctx.Err()
		}
	}
	return true, nil
}

// unstable are the partitions of the input with pending offsets.
func (c *committer) unstable(ctx context.Context) (partitions []int32, err error) {
	req := kmsg.NewPtrOffsetFetchRequest()
	req.RequireStable = true
	g := kmsg.NewOffsetFetchRequestGroup()
	g.Group = c.group
	req.Groups = []kmsg.OffsetFetchRequestGroup{g}
	err = retryKafka(ctx, c.cfg.TransactionTimeout, func() error {
		partitions = nil
		resp, err := req.RequestWith(ctx, c.admin)
		if err != nil {
			return err
		}
		for _, g := range resp.Groups {
			if err := kerr.ErrorForCode(g.ErrorCode); err != nil && !errors.Is(err, kerr.GroupIDNotFound) {
				return err
			}
			for _, t := range g.Topics {
				for _, p := range t.Partitions {
					if errors.Is(kerr.ErrorForCode(p.ErrorCode), kerr.UnstableOffsetCommit) {
						partitions = append(partitions, p.Partition)
					}
				}
			}
		}
		return nil
	})
	return partitions, err
}
