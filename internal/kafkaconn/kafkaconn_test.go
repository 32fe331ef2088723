package kafkaconn_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/bankimport/bankimport/internal/kafkaconn"
	"github.com/bankimport/bankimport/internal/secret"
)

var now = time.Now()

// certificate makes an authority, or a certificate that it signed, for
// 127.0.0.1: both as PEM.
func certificate(t *testing.T, parent *tls.Certificate, notAfter time.Time) (cert, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test"},
		NotBefore: now.Add(-24 * time.Hour), NotAfter: notAfter,
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		KeyUsage:    x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: parent == nil, BasicConstraintsValid: true,
	}
	signer, signerKey := template, any(private)
	if parent != nil {
		signer, signerKey = parent.Leaf, parent.PrivateKey
	}
	der, err := x509.CreateCertificate(rand.Reader, template, signer, &private.PublicKey, signerKey)
	if err != nil {
		t.Fatal(err)
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: pkcs8})
}

func keyPair(t *testing.T, cert, key []byte) tls.Certificate {
	t.Helper()
	pair, err := kafkaconn.KeyPair(cert, key, now)
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

func roots(t *testing.T, text []byte) *x509.CertPool {
	t.Helper()
	pool, err := kafkaconn.RootCAs(text, now)
	if err != nil {
		t.Fatal(err)
	}
	return pool
}

func cluster(t *testing.T, opts ...kfake.Opt) []string {
	t.Helper()
	c, err := kfake.NewCluster(append(opts, kfake.NumBrokers(1), kfake.SeedTopics(1, "facts"))...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c.ListenAddrs()
}

// reach writes one record with each library.
func reach(t *testing.T, cfg kafkaconn.Config) (franzgo, kafkago error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
	defer cancel()
	cl, err := kgo.NewClient(append(cfg.Options(), kgo.RequestRetries(0))...)
	if err != nil {
		t.Fatal(err)
	}
	defer cl.Close()
	// The ping fails at once where a record would be tried again for a while.
	if franzgo = cl.Ping(ctx); franzgo == nil {
		franzgo = cl.ProduceSync(ctx, &kgo.Record{Topic: "facts", Value: []byte("x")}).FirstErr()
	}

	transport := cfg.Transport("facts")
	defer transport.CloseIdleConnections()
	w := &kafka.Writer{Addr: cfg.Addr(), Topic: "facts", Transport: transport, RequiredAcks: kafka.RequireAll,
		BatchTimeout: time.Millisecond, MaxAttempts: 1}
	defer w.Close()
	kafkago = w.WriteMessages(ctx, kafka.Message{Value: []byte("x")})
	return franzgo, kafkago
}

func TestConfig_BothLibrariesConnect(t *testing.T) {
	t.Parallel()
	caCert, caKey := certificate(t, nil, now.Add(time.Hour))
	ca := keyPair(t, caCert, caKey)
	serverCert, serverKey := certificate(t, &ca, now.Add(time.Hour))
	clientCert, clientKey := certificate(t, &ca, now.Add(time.Hour))
	otherCert, _ := certificate(t, nil, now.Add(time.Hour))

	server := &tls.Config{Certificates: []tls.Certificate{keyPair(t, serverCert, serverKey)}}
	mutual := server.Clone()
	mutual.ClientAuth, mutual.ClientCAs = tls.RequireAndVerifyClientCert, roots(t, caCert)
	old := server.Clone()
	old.MaxVersion = tls.VersionTLS11

	trusted := kafkaconn.ClientTLS(roots(t, caCert))
	login := func(m kafkaconn.Mechanism, password string) kafkaconn.SASL {
		return kafkaconn.SASL{Mechanism: m, User: "bridge", Password: secret.Text("pass word,=" + password)}
	}
	user := func(m kafkaconn.Mechanism) kfake.Opt { return kfake.Superuser(string(m), "bridge", "pass word,=word") }

	for _, c := range []struct {
		name    string
		cluster []kfake.Opt
		config  kafkaconn.Config
		fails   bool
	}{
		{"plaintext", nil, kafkaconn.Config{}, false},
		{"TLS", []kfake.Opt{kfake.TLS(server)}, kafkaconn.Config{TLS: trusted}, false},
		{"plaintext to TLS", []kfake.Opt{kfake.TLS(server)}, kafkaconn.Config{}, true},
		{"TLS to plaintext", nil, kafkaconn.Config{TLS: trusted}, true},
		{"TLS of another authority", []kfake.Opt{kfake.TLS(server)}, kafkaconn.Config{TLS: kafkaconn.ClientTLS(roots(t, otherCert))}, true},
		{"TLS of the system's authorities", []kfake.Opt{kfake.TLS(server)}, kafkaconn.Config{TLS: kafkaconn.ClientTLS(nil)}, true},
		{"TLS 1.1", []kfake.Opt{kfake.TLS(old)}, kafkaconn.Config{TLS: trusted}, true},
		{"client certificate", []kfake.Opt{kfake.TLS(mutual)}, kafkaconn.Config{TLS: kafkaconn.ClientTLS(roots(t, caCert), keyPair(t, clientCert, clientKey))}, false},
		{"no client certificate", []kfake.Opt{kfake.TLS(mutual)}, kafkaconn.Config{TLS: trusted}, true},
		{"PLAIN", []kfake.Opt{kfake.EnableSASL(), user("PLAIN")}, kafkaconn.Config{SASL: login("PLAIN", "word")}, false},
		{"PLAIN inside TLS", []kfake.Opt{kfake.EnableSASL(), user("PLAIN"), kfake.TLS(server)}, kafkaconn.Config{SASL: login("PLAIN", "word"), TLS: trusted}, false},
		{"PLAIN, wrong password", []kfake.Opt{kfake.EnableSASL(), user("PLAIN")}, kafkaconn.Config{SASL: login("PLAIN", "wor")}, true},
		{"SCRAM-SHA-256", []kfake.Opt{kfake.EnableSASL(), user("SCRAM-SHA-256")}, kafkaconn.Config{SASL: login("SCRAM-SHA-256", "word")}, false},
		{"SCRAM-SHA-512", []kfake.Opt{kfake.EnableSASL(), user("SCRAM-SHA-512")}, kafkaconn.Config{SASL: login("SCRAM-SHA-512", "word")}, false},
		{"SCRAM-SHA-512, wrong password", []kfake.Opt{kfake.EnableSASL(), user("SCRAM-SHA-512")}, kafkaconn.Config{SASL: login("SCRAM-SHA-512", "wor")}, true},
		{"no login", []kfake.Opt{kfake.EnableSASL(), user("SCRAM-SHA-512")}, kafkaconn.Config{}, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.config.Brokers = cluster(t, c.cluster...)
			franzgo, kafkago := reach(t, c.config)
			for library, err := range map[string]error{"franz-go": franzgo, "kafka-go": kafkago} {
				if (err != nil) != c.fails {
					t.Errorf("%s: got %v, want an error: %t", library, err, c.fails)
				}
				if err != nil && strings.Contains(err.Error(), "word,=") {
					t.Errorf("%s: the error %q shows the password", library, err)
				}
			}
		})
	}
}

func TestParseMechanism(t *testing.T) {
	t.Parallel()
	for _, m := range kafkaconn.Mechanisms() {
		if got, err := kafkaconn.ParseMechanism(strings.ToLower(string(m))); err != nil || got != m {
			t.Errorf("%s: got %q, %v", m, got, err)
		}
	}
	if got, err := kafkaconn.ParseMechanism("GSSAPI"); err == nil || !strings.Contains(err.Error(), "SCRAM-SHA-512") {
		t.Errorf("GSSAPI: got %q, %v; want an error that lists what is possible", got, err)
	}
}

func TestRootCAs_Refuses(t *testing.T) {
	t.Parallel()
	valid, key := certificate(t, nil, now.Add(time.Hour))
	expired, _ := certificate(t, nil, now.Add(-time.Hour))
	broken := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: []byte("nothing")})
	for _, c := range []struct {
		name string
		text []byte
		want string
	}{
		{"empty", nil, "no certificate"},
		{"no PEM", []byte("hello"), "no certificate"},
		{"a key", key, "no certificate"},
		{"expired", expired, "expired"},
		{"broken", slices.Concat(valid, broken), "certificate 2 cannot be read"},
	} {
		if _, err := kafkaconn.RootCAs(c.text, now); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
	if _, err := kafkaconn.RootCAs(slices.Concat(expired, key, valid), now); err != nil {
		t.Errorf("one valid beside an expired one: %v", err)
	}
}

func TestKeyPair_Refuses(t *testing.T) {
	t.Parallel()
	cert, key := certificate(t, nil, now.Add(time.Hour))
	expired, expiredKey := certificate(t, nil, now.Add(-time.Hour))
	_, otherKey := certificate(t, nil, now.Add(time.Hour))
	for _, c := range []struct {
		name      string
		cert, key []byte
		at        time.Time
		want      string
	}{
		{"expired", expired, expiredKey, now, "expired on"},
		{"not yet valid", cert, key, now.Add(-48 * time.Hour), "not valid before"},
		{"another key", cert, otherKey, now, "does not match"},
		{"no key", cert, nil, now, "PEM"},
		{"exchanged", key, cert, now, "PEM"},
		{"broken key", cert, bytes.ReplaceAll(key, []byte("PRIVATE"), []byte("SOME")), now, "PEM"},
	} {
		_, err := kafkaconn.KeyPair(c.cert, c.key, c.at)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.name, err, c.want)
		}
	}
}
