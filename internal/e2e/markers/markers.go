// Package markers does for a test's broker what a killed one forgets.
//
// Kafka 4.4.0 whose only node is killed between a transaction's decision and its
// markers (some milliseconds) calls the transaction complete when it is back and
// never writes them: the partitions can be read no further. A plain client, a
// broker and kill -9 two milliseconds after the answer to EndTxn are enough
// to see it. What is tested is what runs on Kafka, so the harness does what
// the broker has decided. It takes the decision from the coordinator's log.
package markers

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A Mender writes the markers that a broker owes.
type Mender struct {
	logf    func(format string, args ...any)
	brokers []string
	cl      *kgo.Client
	admin   *kadm.Client
	mended  atomic.Int64
	cancel  context.CancelFunc
	done    chan struct{} // closed when it has stopped
}

// Start starts one, which ends with ctx or with [Mender.Stop]. It logs what keeps it
// from writing a marker; while the broker is down it waits.
func Start(ctx context.Context, logf func(format string, args ...any), brokers ...string) (*Mender, error) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(brokers...))
	if err != nil {
		return nil, fmt.Errorf("write markers that the broker loses: %w", err)
	}
	ctx, cancel := context.WithCancel(ctx)
	m := &Mender{logf: logf, brokers: brokers, cl: cl, admin: kadm.NewClient(cl), cancel: cancel, done: make(chan struct{})}
	go m.run(ctx)
	return m, nil
}

// Stop ends it and waits until it has ended.
func (m *Mender) Stop() {
	m.cancel()
	<-m.done
}

// Mended is how many markers it has written.
func (m *Mender) Mended() int64 { return m.mended.Load() }

func (m *Mender) run(ctx context.Context) {
	defer close(m.done)
	defer m.cl.Close()
	look := time.NewTicker(300 * time.Millisecond)
	defer look.Stop()
	var before []lost
	for {
		select {
		case <-look.C:
		case <-ctx.Done():
			return
		}
		now, err := m.lost(ctx)
		if err != nil { // the broker is down
			before = nil
			continue
		}
		for _, l := range now {
			if !slices.Contains(before, l) { // the second look decides: two answers are not of one moment
				continue
			}
			if err := m.write(ctx, l); err != nil {
				m.logf("a marker that the broker has lost: %v", err)
				continue
			}
			m.mended.Add(1)
		}
		before = now
	}
}

// A lost marker is a transaction that is still open in a partition, although its
// coordinator calls it complete.
type lost struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16 // of its records
	start     int64
	leader    int32 // coordinator epoch of the producer's last marker, -1: none; an older one is refused
}

func (m *Mender) lost(ctx context.Context) (found []lost, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	transactions, err := m.admin.DescribeTransactions(ctx)
	if err != nil {
		return nil, err
	}
	producers, err := m.admin.DescribeProducers(ctx, nil)
	if err != nil {
		return nil, err
	}
	producers.EachProducer(func(p kadm.DescribedProducer) {
		if p.CurrentTxnStartOffset < 0 {
			return
		}
		for _, t := range transactions {
			// With transactions of version 2 every end raises the epoch.
			if t.ProducerID == p.ProducerID && t.ProducerEpoch > p.ProducerEpoch && t.State != "PrepareCommit" && t.State != "PrepareAbort" {
				found = append(found, lost{p.Topic, p.Partition, p.ProducerID, p.ProducerEpoch, p.CurrentTxnStartOffset, p.CoordinatorEpoch})
			}
		}
	})
	return found, nil
}

func (m *Mender) write(ctx context.Context, l lost) error {
	committed, epoch, err := m.decision(ctx, l)
	if err != nil {
		return err
	}
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.Committed = l.producer, epoch, committed
	marker.CoordinatorEpoch = max(l.leader, 0)
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = l.topic, []int32{l.partition}
	marker.Topics = append(marker.Topics, topic)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, marker)
	resp, err := req.RequestWith(ctx, m.cl)
	if err != nil {
		return err
	}
	for _, m := range resp.Markers {
		for _, t := range m.Topics {
			for _, p := range t.Partitions {
				if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
					return fmt.Errorf("topic %s, partition %d: %w", t.Topic, p.Partition, err)
				}
			}
		}
	}
	return nil
}

// decision reads how the coordinator has ended the transaction.
func (m *Mender) decision(ctx context.Context, l lost) (committed bool, epoch int16, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	const log = "__transaction_state"
	ends, err := m.admin.ListEndOffsets(ctx, log)
	if err != nil {
		return false, 0, err
	}
	left := map[int32]int64{} // by partition: where to stop
	ends.Each(func(o kadm.ListedOffset) {
		if o.Offset > 0 {
			left[o.Partition] = o.Offset
		}
	})
	cl, err := kgo.NewClient(kgo.SeedBrokers(m.brokers...), kgo.ConsumeTopics(log),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		return false, 0, err
	}
	defer cl.Close()
	found := false
	for len(left) > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return false, 0, ctx.Err()
		}
		fetches.EachRecord(func(r *kgo.Record) {
			if r.Offset+1 >= left[r.Partition] {
				delete(left, r.Partition)
			}
			var v kmsg.TxnMetadataValue
			if r.Value == nil || v.ReadFrom(r.Value) != nil || v.ProducerID != l.producer || v.ProducerEpoch != l.epoch+1 {
				return
			}
			switch v.State {
			case kmsg.TransactionStatePrepareCommit, kmsg.TransactionStateCompleteCommit:
				found, committed, epoch = true, true, v.ProducerEpoch
			case kmsg.TransactionStatePrepareAbort, kmsg.TransactionStateCompleteAbort:
				found, committed, epoch = true, false, v.ProducerEpoch
			}
		})
	}
	if !found {
		return false, 0, fmt.Errorf("the coordinator's log has no end of epoch %d of producer %d", l.epoch, l.producer)
	}
	return committed, epoch, nil
}
