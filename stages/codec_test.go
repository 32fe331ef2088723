package stages_test

import (
	"hash/crc32"
	"testing"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/pipeline/pipelinetest"
	"github.com/bankimport/bankimport/schemas"
)

// TestUnknownCodec: records packed in a way that nobody can unpack never reach a
// stage, because the broker takes none; what comes behind them is handled.
func TestUnknownCodec(t *testing.T) {
	t.Parallel()
	stage := fuzzStages(t, fuzzBank{rows: []finapi.Transaction{}})[0]
	c := pipelinetest.NewCluster(t, stage)
	client, err := kgo.NewClient(c.Options()...)
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()

	batch := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: 7, ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, // 7: no codec's number
		NumRecords: 1, Records: []byte("packed somehow"),
	}
	const head, crc = 12, 21 // where the batch's length, and what its checksum is of, begins
	batch.Length = int32(len(batch.AppendTo(nil)) - head)
	batch.CRC = int32(crc32.Checksum(batch.AppendTo(nil)[crc:], crc32.MakeTable(crc32.Castagnoli)))
	topics, err := kadm.NewClient(client).ListTopics(t.Context(), stage.Input)
	if err != nil {
		t.Fatal(err)
	}
	part := kmsg.NewProduceRequestTopicPartition()
	part.Records = batch.AppendTo(nil)
	topic := kmsg.NewProduceRequestTopic()
	topic.Topic, topic.TopicID, topic.Partitions = stage.Input, topics[stage.Input].ID, append(topic.Partitions, part)
	req := kmsg.NewPtrProduceRequest()
	req.Acks, req.TimeoutMillis, req.Topics = -1, 5000, append(req.Topics, topic)
	resp, err := req.RequestWith(t.Context(), client)
	if err != nil {
		t.Fatal(err)
	}
	if got := kerr.ErrorForCode(resp.Topics[0].Partitions[0].ErrorCode); got != kerr.CorruptMessage {
		t.Fatalf("got %v, want it refused as corrupt", got)
	}

	c.Run(stage)
	e := recordOf(t, schemas.ImportRequested{ImportID: fuzzImport, UserID: "u", BankID: 1})
	c.Publish(stage.Input, e.Key, e.Value)
	c.Collect(schemas.TopicImportStatus, 2) // requested, form open
}
