//go:build realkafka

package e2e_test

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// A lostMarker is a transaction that is still open in a partition, although its
// coordinator calls it complete.
type lostMarker struct {
	topic     string
	partition int32
	producer  int64
	epoch     int16 // of its records
	start     int64
}

// mendMarkers writes the markers that a broker owes, until ctx ends.
//
// Kafka 4.4.0 whose only node is killed between a transaction's decision and its
// markers (some milliseconds) calls the transaction complete when it is back and
// never writes them: the partitions can be read no further. A plain client, a
// broker and kill -9 two milliseconds after the answer to EndTxn are enough
// to see it. What is tested here is what runs on Kafka, so the harness does what
// the broker has decided. It takes the decision from the coordinator's log.
func (s *storm) mendMarkers(ctx context.Context) {
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Brokers...))
	if err != nil {
		s.broken(err)
		return
	}
	defer cl.Close()
	admin := kadm.NewClient(cl)
	var before []lostMarker
	for pause(ctx, 300*time.Millisecond) {
		lost, err := lostMarkers(ctx, admin)
		if err != nil { // the broker is down
			before = nil
			continue
		}
		for _, m := range lost {
			if !slices.Contains(before, m) { // the second look decides: two answers are not of one moment
				continue
			}
			if err := s.writeMarker(ctx, cl, m); err != nil {
				s.Logf("a marker that the broker has lost: %v", err)
				continue
			}
			s.mended.Add(1)
		}
		before = lost
	}
}

func lostMarkers(ctx context.Context, admin *kadm.Client) (lost []lostMarker, err error) {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Second)
	defer cancel()
	transactions, err := admin.DescribeTransactions(ctx)
	if err != nil {
		return nil, err
	}
	producers, err := admin.DescribeProducers(ctx, nil)
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
				lost = append(lost, lostMarker{p.Topic, p.Partition, p.ProducerID, p.ProducerEpoch, p.CurrentTxnStartOffset})
			}
		}
	})
	return lost, nil
}

func (s *storm) writeMarker(ctx context.Context, cl *kgo.Client, m lostMarker) error {
	committed, epoch, err := s.decision(ctx, m)
	if err != nil {
		return err
	}
	marker := kmsg.NewWriteTxnMarkersRequestMarker()
	marker.ProducerID, marker.ProducerEpoch, marker.Committed = m.producer, epoch, committed
	topic := kmsg.NewWriteTxnMarkersRequestMarkerTopic()
	topic.Topic, topic.Partitions = m.topic, []int32{m.partition}
	marker.Topics = append(marker.Topics, topic)
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Markers = append(req.Markers, marker)
	resp, err := req.RequestWith(ctx, cl)
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
func (s *storm) decision(ctx context.Context, m lostMarker) (committed bool, epoch int16, err error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	const log = "__transaction_state"
	ends, err := s.admin.ListEndOffsets(ctx, log)
	if err != nil {
		return false, 0, err
	}
	left := 0
	ends.Each(func(o kadm.ListedOffset) { left += int(o.Offset) })
	cl, err := kgo.NewClient(kgo.SeedBrokers(s.cluster.Brokers...), kgo.ConsumeTopics(log),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords())
	if err != nil {
		return false, 0, err
	}
	defer cl.Close()
	found := false
	for left > 0 {
		fetches := cl.PollFetches(ctx)
		if ctx.Err() != nil {
			return false, 0, ctx.Err()
		}
		fetches.EachRecord(func(r *kgo.Record) {
			left--
			var v kmsg.TxnMetadataValue
			if r.Value == nil || v.ReadFrom(r.Value) != nil || v.ProducerID != m.producer || v.ProducerEpoch != m.epoch+1 {
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
		return false, 0, fmt.Errorf("the coordinator's log has no end of epoch %d of producer %d", m.epoch, m.producer)
	}
	return committed, epoch, nil
}
