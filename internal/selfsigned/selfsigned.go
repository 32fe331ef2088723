// Package selfsigned makes certificates for development and tests.
package selfsigned

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"time"
)

// Life is for how long a certificate is valid that nobody wants otherwise.
const Life = 30 * 24 * time.Hour

// Certificate is a certificate that signs itself, with its key.
type Certificate struct {
	TLS     tls.Certificate
	PEM     []byte
	KeyPEM  []byte
	Trusted *x509.CertPool // this one alone
}

// New makes a certificate in memory for these host names or addresses, valid for
// so long from now; one with a negative life has expired.
func New(life time.Duration, hosts ...string) (c Certificate, err error) {
	defer func() {
		if err != nil {
			err = fmt.Errorf("make a certificate: %w", err)
		}
	}()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return c, err
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return c, err
	}
	until := time.Now().Add(life)
	template := &x509.Certificate{
		SerialNumber:          serial,
		Subject:               pkix.Name{CommonName: "bankimport development"},
		NotBefore:             until.Add(-Life - time.Hour),
		NotAfter:              until,
		KeyUsage:              x509.KeyUsageDigitalSignature,
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
		BasicConstraintsValid: true,
	}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		return c, err
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return c, err
	}
	c = Certificate{
		PEM:     pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		KeyPEM:  pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}),
		Trusted: x509.NewCertPool(),
	}
	if c.TLS, err = tls.X509KeyPair(c.PEM, c.KeyPEM); err != nil {
		return c, err
	}
	c.Trusted.AddCert(c.TLS.Leaf)
	return c, nil
}
