package kafkaconn

import (
	"context"
	"fmt"
	"strings"

	kafkagosasl "github.com/segmentio/kafka-go/sasl"
	"github.com/twmb/franz-go/pkg/sasl"
	"github.com/twmb/franz-go/pkg/sasl/plain"
	"github.com/twmb/franz-go/pkg/sasl/scram"

	"github.com/bankimport/bankimport/internal/secret"
)

// Mechanism is a way to log in.
type Mechanism string

// The mechanisms.
const (
	MechanismPlain    Mechanism = "PLAIN" // the password goes over the wire: only inside TLS
	MechanismScram256 Mechanism = "SCRAM-SHA-256"
	MechanismScram512 Mechanism = "SCRAM-SHA-512"
)

// Mechanisms returns the closed set.
func Mechanisms() []Mechanism {
	return []Mechanism{MechanismPlain, MechanismScram256, MechanismScram512}
}

// ParseMechanism reads a mechanism, in either case.
func ParseMechanism(s string) (Mechanism, error) {
	var names []string
	for _, m := range Mechanisms() {
		if strings.EqualFold(s, string(m)) {
			return m, nil
		}
		names = append(names, string(m))
	}
	return "", fmt.Errorf("%q is no mechanism: want %s", s, strings.Join(names, ", "))
}

// SASL is how to log in at the brokers.
type SASL struct {
	Mechanism Mechanism // empty: no login
	User      string
	Password  secret.Text
}

// mechanism returns what franz-go logs in with, or nil for no login.
func (s SASL) mechanism() sasl.Mechanism {
	switch s.Mechanism {
	case MechanismPlain:
		return plain.Auth{User: s.User, Pass: s.Password.Reveal()}.AsMechanism()
	case MechanismScram256:
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha256Mechanism()
	case MechanismScram512:
		return scram.Auth{User: s.User, Pass: s.Password.Reveal()}.AsSha512Mechanism()
	default:
		return nil
	}
}

// kafkaGo lets kafka-go log in with a mechanism of franz-go: the two interfaces
// say the same in other words, and kafka-go's own SCRAM needs a further library.
type kafkaGo struct{ mechanism sasl.Mechanism }

func (k kafkaGo) Name() string { return k.mechanism.Name() }

func (k kafkaGo) Start(ctx context.Context) (kafkagosasl.StateMachine, []byte, error) {
	host := ""
	if m := kafkagosasl.MetadataFromContext(ctx); m != nil {
		host = m.Host
	}
	session, first, err := k.mechanism.Authenticate(ctx, host)
	if err != nil {
		return nil, nil, err
	}
	return kafkaGoSession{session}, first, nil
}

type kafkaGoSession struct{ session sasl.Session }

func (k kafkaGoSession) Next(_ context.Context, challenge []byte) (done bool, response []byte, err error) {
	return k.session.Challenge(challenge)
}
