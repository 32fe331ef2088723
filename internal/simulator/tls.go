package simulator

import (
	"crypto/tls"
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/selfsigned"
)

// TLSFailures are the ways in which [FailTLS] can serve.
func TLSFailures() []string { return slices.Sorted(maps.Keys(tlsFailures)) }

// tlsFailures make the certificate that is shown at a host, or fail.
var tlsFailures = map[string]func(host string) (selfsigned.Certificate, error){
	"expired": func(host string) (selfsigned.Certificate, error) { return selfsigned.New(-time.Hour, host) },
	"other-host": func(string) (selfsigned.Certificate, error) {
		return selfsigned.New(selfsigned.Life, "other.bankimport.test")
	},
	"unknown-authority": func(host string) (selfsigned.Certificate, error) { return selfsigned.New(selfsigned.Life, host) },
	"handshake": func(string) (selfsigned.Certificate, error) {
		return selfsigned.Certificate{}, errors.New("the handshake is to fail")
	},
}

// FailTLS serves TLS on a listener for a host so that no client that checks can
// use it: the certificate has expired, is another host's or nobody's, or the
// handshake breaks off. It is for all clients: before a handshake ends nobody
// knows whose call it is.
func FailTLS(l net.Listener, failure, host string) (net.Listener, error) {
	certify, ok := tlsFailures[failure]
	if !ok {
		return nil, fmt.Errorf("%q is none of %s", failure, strings.Join(TLSFailures(), ", "))
	}
	return tls.NewListener(l, &tls.Config{
		MinVersion: tls.VersionTLS12,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			c, err := certify(host)
			return &c.TLS, err
		},
	}), nil
}
