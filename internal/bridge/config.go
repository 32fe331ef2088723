package bridge

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/callback"
)

// opener opens the token in the URL. *[callback.Sealer] is one.
type opener interface {
	Open(token string, now time.Time) (callback.Token, error)
}

// writer publishes records and returns when Kafka has them. It knows its topic
// and gives up by itself within seconds. *kafkaconn.Writer is one.
type writer interface {
	WriteMessages(ctx context.Context, messages ...kafka.Message) error
}

// Config of a [Bridge]. Zero values mean the default that stands beside them.
type Config struct {
	Opener opener // required
	Writer writer // to the topic webform-completed, required; the caller closes it after the bridge

	Logger  *slog.Logger          // default: none
	Metrics prometheus.Registerer // default: none

	// TLS is how Serve talks TLS. Default: not at all.
	TLS *tls.Config

	HeaderTimeout  time.Duration // for the head of a request; default 2 s
	RequestTimeout time.Duration // for all of a request; default 5 s
	PublishTimeout time.Duration // how long a request waits for Kafka; default 2 s
	AnswerTimeout  time.Duration // for writing the answer; default 5 s
	IdleTimeout    time.Duration // between two requests of a connection; default 15 s
	DrainTimeout   time.Duration // how long Serve waits for what runs when it is to stop; default 10 s

	MaxConnections int           // open at once; more wait until one closes; default 10,000
	MaxRequests    int           // with a good token at once; more are refused; default 1,024
	MaxPublishing  int           // records on their way to Kafka at once; default 64
	Remember       time.Duration // how long a hint counts as a repeat of another; default 10 s
	MaxRemembered  int           // hints that are remembered; default 10,000

	Now func() time.Time // default: time.Now
}

func (c Config) withDefaults() Config {
	duration := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	number := func(n *int, v int) {
		if *n == 0 {
			*n = v
		}
	}
	duration(&c.HeaderTimeout, 2*time.Second)
	duration(&c.RequestTimeout, 5*time.Second)
	duration(&c.PublishTimeout, 2*time.Second)
	duration(&c.AnswerTimeout, 5*time.Second)
	duration(&c.IdleTimeout, 15*time.Second)
	duration(&c.DrainTimeout, 10*time.Second)
	duration(&c.Remember, 10*time.Second)
	number(&c.MaxConnections, 10_000)
	number(&c.MaxRequests, 1024)
	number(&c.MaxPublishing, 64)
	number(&c.MaxRemembered, 10_000)
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	return c
}

// Validate reports everything that is wrong with the configuration.
func (c Config) Validate() error {
	var errs []error
	if c.Opener == nil {
		errs = append(errs, errors.New("bridge: nothing to open callback tokens with"))
	}
	if c.Writer == nil {
		errs = append(errs, errors.New("bridge: no writer to Kafka"))
	}
	for _, d := range []struct {
		name  string
		value time.Duration
	}{
		{"HeaderTimeout", c.HeaderTimeout}, {"RequestTimeout", c.RequestTimeout}, {"PublishTimeout", c.PublishTimeout},
		{"AnswerTimeout", c.AnswerTimeout}, {"IdleTimeout", c.IdleTimeout}, {"DrainTimeout", c.DrainTimeout}, {"Remember", c.Remember},
	} {
		if d.value < 0 {
			errs = append(errs, fmt.Errorf("bridge: %s is negative", d.name))
		}
	}
	for _, n := range []struct {
		name  string
		value int
	}{
		{"MaxConnections", c.MaxConnections}, {"MaxRequests", c.MaxRequests},
		{"MaxPublishing", c.MaxPublishing}, {"MaxRemembered", c.MaxRemembered},
	} {
		if n.value < 0 {
			errs = append(errs, fmt.Errorf("bridge: %s is negative", n.name))
		}
	}
	return errors.Join(errs...)
}
