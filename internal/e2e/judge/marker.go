package judge

import (
	"fmt"

	"github.com/IBM/sarama"
)

// markerHeader tells a marker from a record.
const markerHeader = "judge-marker"

// writeMarkers appends a marker to every partition and returns when the
// cluster has them all.
func writeMarkers(brokers []string, prefix string, places []place, id string) error {
	cfg := saramaConfig()
	cfg.Producer.Partitioner = sarama.NewManualPartitioner
	cfg.Producer.RequiredAcks = sarama.WaitForAll
	cfg.Producer.Return.Successes = true
	producer, err := sarama.NewSyncProducer(brokers, cfg)
	if err != nil {
		return fmt.Errorf("write markers: %w", err)
	}
	defer producer.Close()

	markers := make([]*sarama.ProducerMessage, 0, len(places))
	for _, p := range places {
		markers = append(markers, &sarama.ProducerMessage{
			Topic:     prefix + p.topic,
			Partition: p.partition,
			Key:       sarama.StringEncoder(id), // compacted topics refuse a null key
			Headers:   []sarama.RecordHeader{{Key: []byte(markerHeader), Value: []byte(id)}},
		})
	}
	if err := producer.SendMessages(markers); err != nil {
		return fmt.Errorf("write markers: %w", err)
	}
	return nil
}
