package kafkaconn

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// ErrNoCertificate says that a text holds no PEM certificate.
var ErrNoCertificate = errors.New("holds no certificate in PEM form")

// RootCAs reads the authorities to trust, in PEM form, instead of the
// system's. Every certificate in it must be readable, and one still valid at
// the time now.
func RootCAs(text []byte, now time.Time) (*x509.CertPool, error) {
	pool := x509.NewCertPool()
	count, valid := 0, 0
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d cannot be read: %w", count+1, err)
		}
		count++
		if now.Before(cert.NotAfter) {
			valid++
		}
		pool.AddCert(cert)
	}
	switch {
	case count == 0:
		return nil, ErrNoCertificate
	case valid == 0:
		return nil, errors.New("every certificate in it has expired")
	}
	return pool, nil
}

// KeyPair reads a certificate, with its chain, and its private key, both in
// PEM form. They must belong together, and the certificate must be valid at
// the time now. The error quotes nothing of the key.
func KeyPair(certificate, key []byte, now time.Time) (tls.Certificate, error) {
	pair, err := tls.X509KeyPair(certificate, key)
	if err != nil {
		return tls.Certificate{}, err
	}
	leaf := pair.Leaf
	switch {
	case now.After(leaf.NotAfter):
		return tls.Certificate{}, fmt.Errorf("the certificate expired on %s", leaf.NotAfter.UTC().Format(time.DateOnly))
	case now.Before(leaf.NotBefore):
		return tls.Certificate{}, fmt.Errorf("the certificate is not valid before %s", leaf.NotBefore.UTC().Format(time.DateOnly))
	}
	return pair, nil
}

// ClientTLS is the TLS that clients talk: 1.2 or newer, against these
// authorities (nil: the system's), with these certificates of their own.
func ClientTLS(roots *x509.CertPool, own ...tls.Certificate) *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, RootCAs: roots, Certificates: own}
}
