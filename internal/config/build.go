package config

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/finapi"
	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/topics"
	"github.com/bankimport/bankimport/pipeline"
	"github.com/bankimport/bankimport/stages/connection"
	"github.com/bankimport/bankimport/stages/transactions"
)

// Connect returns how to reach the cluster.
func (k Kafka) Connect() (kafkaconn.Config, error) {
	cfg := kafkaconn.Config{Brokers: k.Brokers}
	if k.Mechanism != "" {
		mechanism, err := kafkaconn.ParseMechanism(k.Mechanism)
		if err != nil {
			return cfg, fmt.Errorf("%sKAFKA_SASL_MECHANISM: %w", Prefix, err)
		}
		cfg.SASL = kafkaconn.SASL{Mechanism: mechanism, User: k.User, Password: k.Password}
	}
	if !k.TLS {
		return cfg, nil
	}
	var roots *x509.CertPool // nil: the system's
	if k.CA != "" {
		var err error
		if roots, err = kafkaconn.RootCAs([]byte(k.CA), time.Now()); err != nil {
			return cfg, fmt.Errorf("%sKAFKA_TLS_CA %w", Prefix, err)
		}
	}
	var own []tls.Certificate
	if k.Cert != "" {
		pair, err := kafkaconn.KeyPair([]byte(k.Cert), []byte(k.Key.Reveal()), time.Now())
		if err != nil {
			return cfg, fmt.Errorf("%sKAFKA_TLS_CERT: %w", Prefix, err)
		}
		own = append(own, pair)
	}
	cfg.TLS = kafkaconn.ClientTLS(roots, own...)
	return cfg, nil
}

// Sealer returns what seals and opens callback tokens. Its environment is the
// topic prefix, which the webform stage and the bridge of one pipeline share.
func (c Config) Sealer() (*callback.Sealer, error) {
	keys, err := callback.ParseKeys(c.Callback.Keys.Reveal())
	if err != nil {
		return nil, fmt.Errorf("%sCALLBACK_KEYS %w", Prefix, err)
	}
	return callback.New(keys, c.Kafka.TopicPrefix)
}

// TLS returns the TLS of the bridge, or nil where it speaks plain HTTP. The
// files are read once: a renewed certificate needs a restart.
func (p Public) TLS() (*tls.Config, error) {
	if p.Cert == "" {
		return nil, nil
	}
	pair, err := kafkaconn.KeyPair([]byte(p.Cert), []byte(p.Key.Reveal()), time.Now())
	if err != nil {
		return nil, fmt.Errorf("%sPUBLIC_TLS_CERT: %w", Prefix, err)
	}
	return &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{pair}}, nil
}

// Pipeline returns what the settings say of the engine. The caller adds
// KafkaOpts, logger, metrics and observer.
func (c Config) Pipeline() pipeline.Config {
	interval := c.Engine.CommitInterval
	if interval == 0 {
		interval = -1 // there zero means the default
	}
	return pipeline.Config{
		TopicPrefix:        c.Kafka.TopicPrefix,
		InstanceID:         c.Kafka.InstanceID,
		MaxInFlight:        c.Engine.MaxInFlight,
		MaxInFlightBytes:   c.Engine.MaxInFlightBytes,
		MaxResultBytes:     c.Engine.MaxResultBytes,
		MaxStateBytes:      c.Engine.MaxStateBytes,
		RetryBudget:        c.Engine.RetryBudget,
		StateRetention:     c.Engine.StateRetention,
		DrainTimeout:       c.Engine.DrainTimeout,
		CommitInterval:     interval,
		TransactionTimeout: c.Engine.TransactionTimeout,
		SessionTimeout:     c.Engine.SessionTimeout,
	}
}

// TopicSettings returns what the settings say of topics, for these stages.
func (c Config) TopicSettings(stages ...string) topics.Settings {
	return topics.Settings{
		Prefix:         c.Kafka.TopicPrefix,
		Stages:         stages,
		Partitions:     c.Topics.Partitions,
		Replication:    c.Topics.Replication,
		StateRetention: c.Engine.StateRetention,
	}
}

// Client returns what the settings say of the provider's client. The caller
// adds transport, logger and metrics.
func (c Config) Client() finapi.Config {
	p := c.Provider
	return finapi.Config{
		AccessURL:      p.AccessURL,
		WebFormURL:     p.WebFormURL,
		ClientID:       p.ClientID,
		ClientSecret:   finapi.Secret(p.ClientSecret.Reveal()),
		UserKey:        finapi.Secret(p.UserKey.Reveal()),
		RedirectURL:    p.RedirectURL,
		FormHosts:      p.FormHosts,
		MaxConcurrent:  p.MaxConcurrent,
		RequestTimeout: p.RequestTimeout,
		// An outage has to show before it has used a step's budget up.
		Patience: min(finapi.DefaultPatience, c.Engine.RetryBudget/4),
	}
}

// Timing returns how long the connection stage waits for what.
func (w Waiting) Timing() connection.Timing {
	return connection.Timing{
		FormPoll:         w.FormPoll,
		FormGrace:        w.FormGrace,
		SecondLook:       w.SecondLook,
		ThirdLook:        w.ThirdLook,
		DownloadPoll:     w.DownloadPoll,
		DownloadPollMost: w.DownloadPollMost,
		DownloadDeadline: w.DownloadDeadline,
		CategoryPoll:     w.CategoryPoll,
		CategoryDeadline: w.CategoryDeadline,
	}
}

// Reading returns how the transactions stage reads.
func (w Waiting) Reading() transactions.Config {
	return transactions.Config{RereadAfter: w.RereadAfter}
}
