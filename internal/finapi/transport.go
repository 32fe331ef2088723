package finapi

import (
	"crypto/tls"
	"net"
	"net/http"
	"time"
)

// newTransport returns a transport for calls to two hosts. The time for a whole
// exchange is bounded by the caller; what is bounded here is what would
// otherwise be blamed on the provider's answer.
func newTransport(maxConcurrent int) *http.Transport {
	return &http.Transport{
		// HTTPS_PROXY as every Go program has it: many networks let nothing else out.
		Proxy:                  http.ProxyFromEnvironment,
		DialContext:            (&net.Dialer{Timeout: 5 * time.Second, KeepAlive: 15 * time.Second}).DialContext,
		TLSClientConfig:        &tls.Config{MinVersion: tls.VersionTLS12},
		TLSHandshakeTimeout:    5 * time.Second,
		MaxIdleConns:           2 * maxConcurrent,
		MaxIdleConnsPerHost:    maxConcurrent,
		IdleConnTimeout:        90 * time.Second,
		MaxResponseHeaderBytes: 64 << 10,
		ForceAttemptHTTP2:      true,
		// A connection on which nothing comes back any more would otherwise
		// fail every call on it until the kernel gives up.
		HTTP2: &http.HTTP2Config{SendPingTimeout: 15 * time.Second, PingTimeout: 5 * time.Second},
	}
}
