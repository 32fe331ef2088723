package judge

import (
	"fmt"
	"sync"
	"time"

	"github.com/IBM/sarama"
)

// FollowSarama reads with sarama, under read_committed. The caller closes the log.
func FollowSarama(cfg Config) (*Log, error) {
	client, err := sarama.NewClient(cfg.Brokers, saramaConfig())
	if err != nil {
		return nil, fmt.Errorf("judge with sarama: %w", err)
	}
	places, err := placesOf(client, cfg)
	if err != nil {
		client.Close()
		return nil, err
	}
	consumer, err := sarama.NewConsumerFromClient(client)
	if err != nil {
		client.Close()
		return nil, fmt.Errorf("judge with sarama: %w", err)
	}

	log := newLog(cfg, places)
	var reading sync.WaitGroup
	var open []sarama.PartitionConsumer
	log.stop = sync.OnceFunc(func() {
		for _, pc := range open {
			pc.AsyncClose()
		}
		reading.Wait()
		consumer.Close()
		client.Close()
	})
	for _, p := range places {
		pc, err := consumer.ConsumePartition(cfg.Prefix+p.topic, p.partition, sarama.OffsetOldest)
		if err != nil {
			log.Close()
			return nil, fmt.Errorf("judge topic %s partition %d: %w", p.topic, p.partition, err)
		}
		open = append(open, pc)
		reading.Go(func() {
			for m := range pc.Messages() {
				log.add(fromSarama(m))
			}
		})
		// sarama goes on by itself after an error; only the end of the messages
		// is final, and the wait that then never ends says what is missing.
		reading.Go(func() {
			for range pc.Errors() {
			}
		})
	}
	return log, nil
}

func saramaConfig() *sarama.Config {
	cfg := sarama.NewConfig()
	cfg.ClientID = "judge"
	cfg.Version = sarama.V3_6_0_0
	cfg.Consumer.IsolationLevel = sarama.ReadCommitted
	cfg.Consumer.MaxWaitTime = 100 * time.Millisecond
	cfg.Consumer.Return.Errors = true
	cfg.Metadata.Retry.Backoff = 100 * time.Millisecond
	return cfg
}

// placesOf lists every partition of the topics to follow.
func placesOf(client sarama.Client, cfg Config) ([]place, error) {
	var places []place
	for _, topic := range cfg.Topics {
		partitions, err := client.Partitions(cfg.Prefix + topic)
		if err != nil {
			return nil, fmt.Errorf("judge topic %s: %w", topic, err)
		}
		for _, p := range partitions {
			places = append(places, place{topic, p})
		}
	}
	return places, nil
}

func fromSarama(m *sarama.ConsumerMessage) Record {
	r := Record{
		Topic: m.Topic, Partition: m.Partition, Offset: m.Offset,
		Key: m.Key, Value: m.Value, Time: m.Timestamp,
	}
	for _, h := range m.Headers {
		r.Headers = append(r.Headers, Header{string(h.Key), h.Value})
	}
	return r
}
