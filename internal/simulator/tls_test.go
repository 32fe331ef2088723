package simulator

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// A client that checks fails in each way, and says why.
func TestFailTLS(t *testing.T) {
	t.Parallel()
	for _, failure := range TLSFailures() {
		t.Run(failure, func(t *testing.T) {
			t.Parallel()
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			if l, err = FailTLS(l, failure, "127.0.0.1"); err != nil {
				t.Fatal(err)
			}
			server := &http.Server{Handler: http.NotFoundHandler(), ErrorLog: log.New(io.Discard, "", 0)}
			go func() { _ = server.Serve(l) }()
			defer server.Close()
			conn, err := tls.Dial("tcp", l.Addr().String(), &tls.Config{MinVersion: tls.VersionTLS12})
			if err == nil {
				conn.Close()
				t.Fatal("the handshake went well")
			}
			expired, _ := errors.AsType[x509.CertificateInvalidError](err)
			_, otherHost := errors.AsType[x509.HostnameError](err)
			_, unknown := errors.AsType[x509.UnknownAuthorityError](err)
			op, _ := errors.AsType[*net.OpError](err)
			got := map[string]bool{
				"expired": expired.Cert != nil && expired.Reason == x509.Expired, "other-host": otherHost,
				"unknown-authority": unknown, "handshake": op != nil && op.Op == "remote error",
			}
			if !got[failure] {
				t.Errorf("the handshake failed with %v", err)
			}
		})
	}
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	if _, err := FailTLS(server.Listener, "nonsense", "127.0.0.1"); err == nil || !strings.Contains(err.Error(), "expired") {
		t.Errorf("got %v, want an error that names what there is", err)
	}
}
