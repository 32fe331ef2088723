package localkafka

import (
	"errors"
	"fmt"
	"log/slog"
	"net"
	"sync/atomic"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// minSessionTimeout lets groups have shorter sessions than Kafka's 6 s, so
// that a killed process is missed soon.
const minSessionTimeout = time.Second

// Config of a [Kafka]. Zero values mean the defaults.
type Config struct {
	// Listener is where clients connect; it must be on loopback, because
	// there is no login. Start takes it over, also when it fails. Default: a
	// free port of 127.0.0.1.
	Listener net.Listener
	// Logger takes what the broker has to say. Default: none.
	Logger *slog.Logger
}

// Kafka is a broker in this process.
type Kafka struct {
	cluster *kfake.Cluster
	addr    string
}

// Start returns a broker that answers. It has no topics and creates none by
// itself. The caller ends it with [Kafka.Close].
func Start(cfg Config) (*Kafka, error) {
	listener, err := loopback(cfg.Listener)
	if err != nil {
		return nil, fmt.Errorf("start the embedded Kafka: %w", err)
	}
	logger := cfg.Logger
	if logger == nil {
		logger = slog.New(slog.DiscardHandler)
	}
	// The cluster asks for a listener by address; ours is bound already.
	var taken atomic.Bool
	give := func(string, string) (net.Listener, error) {
		if taken.Swap(true) {
			return nil, errors.New("the embedded Kafka has one broker")
		}
		return listener, nil
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ListenFn(give),
		kfake.GroupMinSessionTimeout(minSessionTimeout),
		kfake.WithLogger(logAdapter{logger}),
	)
	if err != nil {
		listener.Close()
		return nil, fmt.Errorf("start the embedded Kafka: %w", err)
	}
	return &Kafka{cluster: cluster, addr: listener.Addr().String()}, nil
}

// loopback returns the listener, or a new one, if others cannot reach it.
func loopback(listener net.Listener) (net.Listener, error) {
	if listener == nil {
		return net.Listen("tcp", "127.0.0.1:0")
	}
	if addr, ok := listener.Addr().(*net.TCPAddr); !ok || !addr.IP.IsLoopback() {
		listener.Close()
		return nil, fmt.Errorf("it has no login, so it listens on loopback only, not on %s: use an address like 127.0.0.1:9092", listener.Addr())
	}
	return listener, nil
}

// Addr returns the address, host and port, that clients connect to.
func (k *Kafka) Addr() string { return k.addr }

// Close ends the broker and drops what it holds. Clients lose their
// connections. It may be called more than once.
func (k *Kafka) Close() { k.cluster.Close() }
