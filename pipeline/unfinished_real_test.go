//go:build realkafka

package pipeline

import (
	"encoding/binary"
	"hash/crc32"
	"slices"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"github.com/twmb/franz-go/pkg/kversion"

	"github.com/bankimport/bankimport/internal/realkafka"
)

// TestLostMarkers: the coordinator calls the stage's last transaction complete, but in
// some partitions it is open: state, output, offsets. A start ends it there as the
// coordinator has decided; without that, it would wait for the state for ever.
//
// The broker is told not to ask the coordinator who may write, so that what a killed
// one leaves behind can be made at will.
func TestLostMarkers(t *testing.T) {
	t.Parallel()
	b := realkafka.StartForTest(t, realkafka.Config{Properties: map[string]string{"transaction.partition.verification.enable": "false"}})
	for name, test := range map[string]struct{ commit, runs bool }{
		"committed":        {true, false},
		"aborted":          {false, false},
		"committed, lives": {true, true}, // the stage goes on: it has only lost its connections
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			commit := test.commit
			c := newClusterAt(t, []string{b.Addr()})
			faulty := newFaultyNet()
			one := func(cfg *Config) {
				cfg.InstanceID, cfg.KafkaOpts = "i", append(cfg.KafkaOpts, kgo.Dialer(faulty.dial))
			}
			stop := c.run(handler{handle: count}, one)
			c.publish("k", "x")
			c.checkCounts(1)
			id := TransactionalID(c.prefix, "bankimport", "test", "i")
			switch {
			case test.runs:
				within(t, 10*time.Second, "all is committed", c.caughtUp)
				c.leaveOpen(id)
				faulty.cut()
			case commit:
				stop()
				c.leaveOpen(id)
			default:
				stop()
				c.abortOne(id)
				c.leaveOpen(id)
			}
			if !test.runs {
				c.run(handler{handle: count}, one)
			}
			c.publish("k", "x")
			want := []string{"1", "2"}
			if commit {
				want = append(want, "unfinished")
			}
			var got []string
			for _, r := range c.read("out", len(want)) {
				got = append(got, string(r.Value))
			}
			if slices.Sort(got); !slices.Equal(got, want) {
				t.Errorf("outputs %q, want %q", got, want)
			}
			within(t, 10*time.Second, "all is committed", c.caughtUp)
		})
	}
}

// abortOne makes an aborted transaction the last one, in a topic of its own.
func (c *cluster) abortOne(transactionalID string) {
	c.t.Helper()
	if _, err := c.admin().CreateTopic(c.t.Context(), 1, 1, nil, c.prefix+"aborted"); err != nil {
		c.t.Fatal(err)
	}
	c.awaitTopic("aborted", 1)
	cl := c.client(kgo.TransactionalID(transactionalID))
	if err := cl.BeginTransaction(); err != nil {
		c.t.Fatal(err)
	}
	if err := cl.ProduceSync(c.t.Context(), &kgo.Record{Topic: c.prefix + "aborted", Value: []byte("x")}).FirstErr(); err != nil {
		c.t.Fatal(err)
	}
	if err := cl.EndTransaction(c.t.Context(), kgo.TryAbort); err != nil {
		c.t.Fatal(err)
	}
}

// leaveOpen opens the last transaction of the id again, in partitions that it has not
// touched, and in the group.
func (c *cluster) leaveOpen(transactionalID string) {
	c.t.Helper()
	ctx := c.t.Context()
	var last kadm.DescribedTransaction
	eventually(c.t, "the last transaction is complete", func() bool {
		all, err := c.admin().DescribeTransactions(ctx, transactionalID)
		last = all[transactionalID]
		return err == nil && last.Err == nil && (last.State == "CompleteCommit" || last.State == "CompleteAbort")
	})
	old := c.client(kgo.MaxVersions(kversion.V3_9_0()))
	req := kmsg.NewPtrProduceRequest()
	req.TransactionID, req.Acks, req.TimeoutMillis = &transactionalID, -1, 10_000
	for topic, value := range map[string][]byte{c.prefix + c.stateTopic(): nil, c.prefix + "out": []byte("unfinished")} {
		t := kmsg.NewProduceRequestTopic()
		t.Topic = topic
		p := kmsg.NewProduceRequestTopicPartition()
		p.Partition = c.untouched(topic)
		p.Records = transactionalBatch(last.ProducerID, last.ProducerEpoch-1, []byte("unfinished"), value)
		t.Partitions = append(t.Partitions, p)
		req.Topics = append(req.Topics, t)
	}
	resp, err := req.RequestWith(ctx, old)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, t := range resp.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				c.t.Fatalf("leave a transaction open in %s: %v", t.Topic, err)
			}
		}
	}

	committed, err := c.admin().FetchOffsets(ctx, c.group())
	if err != nil {
		c.t.Fatal(err)
	}
	offsets := kmsg.NewPtrTxnOffsetCommitRequest()
	offsets.TransactionalID, offsets.Group, offsets.ProducerID, offsets.ProducerEpoch = transactionalID, c.group(), last.ProducerID, last.ProducerEpoch
	offsets.Generation = -1
	t := kmsg.NewTxnOffsetCommitRequestTopic()
	t.Topic = c.prefix + "in"
	committed.Each(func(o kadm.OffsetResponse) {
		p := kmsg.NewTxnOffsetCommitRequestTopicPartition()
		p.Partition, p.Offset, p.LeaderEpoch, p.Metadata = o.Partition, o.At, o.LeaderEpoch, &o.Metadata
		t.Partitions = append(t.Partitions, p)
	})
	offsets.Topics = append(offsets.Topics, t)
	done, err := offsets.RequestWith(ctx, old)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, t := range done.Topics {
		for _, p := range t.Partitions {
			if err := kerr.ErrorForCode(p.ErrorCode); err != nil {
				c.t.Fatalf("leave offsets open: %v", err)
			}
		}
	}
}

// untouched is a partition of a topic in which nothing is.
func (c *cluster) untouched(topic string) int32 {
	c.t.Helper()
	ends, err := c.admin().ListEndOffsets(c.t.Context(), topic)
	if err != nil {
		c.t.Fatal(err)
	}
	for _, o := range ends[topic] {
		if o.Offset == 0 {
			return o.Partition
		}
	}
	c.t.Fatalf("all partitions of %s have been written to", topic)
	return 0
}

// transactionalBatch is a batch with one record, as a producer writes it that comes to
// a partition for the first time.
func transactionalBatch(producer int64, epoch int16, key, value []byte) []byte {
	rec := kmsg.Record{Key: key, Value: value}
	rec.Length = int32(len(rec.AppendTo(nil)) - 1) // of what follows the length, here one byte
	now := time.Now().UnixMilli()
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: 1 << 4, FirstTimestamp: now, MaxTimestamp: now,
		ProducerID: producer, ProducerEpoch: epoch, NumRecords: 1, Records: rec.AppendTo(nil),
	}
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[8:], uint32(len(raw)-12))
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}
