package bridge

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"

	"golang.org/x/net/netutil"
)

// maxHeader is what the head of a request may have; the server adds 4 KiB to
// what it is told.
const maxHeader = 8<<10 - 4<<10

// Serve answers requests on the listener, which it closes, until ctx ends; then
// it lets what runs finish, within DrainTimeout, and returns nil. It is called
// once, and ends the bridge.
func (b *Bridge) Serve(ctx context.Context, listener net.Listener) error {
	listener = netutil.LimitListener(listener, b.config.MaxConnections)
	if b.config.TLS != nil {
		c := b.config.TLS.Clone()
		c.NextProtos = []string{"http/1.1"}
		listener = tls.NewListener(listener, c)
	}
	server := b.server()
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()

	var err error
	select {
	case err = <-ended: // it could not go on
		err = fmt.Errorf("bridge: serve on %s: %w", listener.Addr(), err)
	case <-ctx.Done():
	}
	drain, cancel := context.WithTimeout(context.WithoutCancel(ctx), b.config.DrainTimeout)
	defer cancel()
	if server.Shutdown(drain) != nil {
		server.Close()
	}
	b.Close(drain)
	if err == nil {
		<-ended
	}
	return err
}

// Close refuses what comes and waits for what is on its way to Kafka, until
// ctx ends at most.
func (b *Bridge) Close(ctx context.Context) { b.publisher.close(ctx) }

func (b *Bridge) server() *http.Server {
	// One small request, once for each form: HTTP/2 would be a risk for nothing.
	var http1 http.Protocols
	http1.SetHTTP1(true)
	return &http.Server{
		Handler:           b,
		Protocols:         &http1,
		ReadHeaderTimeout: b.config.HeaderTimeout,
		ReadTimeout:       b.config.RequestTimeout,
		// It begins with the head of the request; the handler sets it anew for
		// its answer.
		WriteTimeout:                 b.config.RequestTimeout + b.config.PublishTimeout + b.config.AnswerTimeout,
		IdleTimeout:                  b.config.IdleTimeout,
		MaxHeaderBytes:               maxHeader,
		DisableGeneralOptionsHandler: true, // OPTIONS * is refused like every other path
		ErrorLog:                     slog.NewLogLogger(b.config.Logger.Handler(), slog.LevelDebug),
	}
}
