package kafkaconn

import (
	"crypto/tls"
	"net"
	"slices"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kgo"
)

// clientID is the name that brokers log and can set quotas for.
const clientID = "bankimport"

// Config is how to reach a cluster.
type Config struct {
	// Brokers are the addresses, host and port, to start from. Required.
	Brokers []string
	// TLS is how to talk TLS. Nil: plaintext.
	TLS *tls.Config
	// SASL is how to log in. Zero: not at all.
	SASL SASL
}

// Options returns the options for a client of franz-go. The caller may change
// the slice.
func (c Config) Options() []kgo.Opt {
	opts := []kgo.Opt{kgo.ClientID(clientID), kgo.SeedBrokers(c.Brokers...)}
	if c.TLS != nil {
		opts = append(opts, kgo.DialTLSConfig(c.TLS.Clone()))
	}
	if mechanism := c.SASL.mechanism(); mechanism != nil {
		opts = append(opts, kgo.SASL(mechanism))
	}
	return opts
}

// Addr returns the address of the cluster for kafka-go.
func (c Config) Addr() net.Addr { return kafka.TCP(c.Brokers...) }

// Transport returns the transport for a client of kafka-go that
// needs to know these topics (none: all of the cluster). It keeps connections
// open in goroutines of its own, which end after CloseIdleConnections.
func (c Config) Transport(topics ...string) *kafka.Transport {
	t := &kafka.Transport{
		ClientID:       clientID,
		MetadataTopics: slices.Clone(topics),
	}
	if c.TLS != nil {
		t.TLS = c.TLS.Clone()
	}
	if mechanism := c.SASL.mechanism(); mechanism != nil {
		t.SASL = kafkaGo{mechanism}
	}
	return t
}
