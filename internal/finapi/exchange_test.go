package finapi

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/selfsigned"
)

// tokenThen answers logins as usual and everything else with h.
func tokenThen(h http.HandlerFunc) http.Handler {
	p := newProvider()
	for _, op := range callNames() {
		p.on(op, h)
	}
	return p
}

// raw writes bytes to the connection as they are.
func raw(t *testing.T, text string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		conn, buf, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, _ = buf.WriteString(text)
		_ = buf.Flush()
	}
}

func packed(text string) []byte {
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, _ = io.WriteString(w, text)
	_ = w.Close()
	return b.Bytes()
}

func gzipped(body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Encoding", "gzip")
		_, _ = w.Write(body)
	}
}

func TestBadAnswers(t *testing.T) {
	t.Parallel()
	good := packed(connectionJSON)
	for name, test := range map[string]struct {
		handler http.HandlerFunc
		code    string // empty: it goes well
		status  int
	}{
		"good":         {answer(200, connectionJSON), "", 0},
		"good, packed": {gzipped(good), "", 0},
		"C5 good, wrong type": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "text/html")
			_, _ = io.WriteString(w, connectionJSON)
		}, "", 0},
		"C37 reset":              {raw(t, ""), CodeNetwork, 0},
		"not HTTP":               {raw(t, "hello\r\n\r\n"), CodeNetwork, 0},
		"C37 cut in the headers": {raw(t, "HTTP/1.1 200 OK\r\nContent-"), CodeNetwork, 0},
		"C7 C37 cut in the body": {raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{\"id\":7,"), CodeNetwork, 200},
		"cut in a chunk":         {raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{\"i"), CodeNetwork, 200},
		"C7 length too small":    {raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\n{\"id\":7,\"updateStatus\":"), CodeMalformed, 200},
		"C9 5 GB announced":      {raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 5368709120\r\n\r\n"+strings.Repeat(" ", maxAnswer+1)), CodeTooLarge, 200},
		"C37 reset after the headers": {func(w http.ResponseWriter, _ *http.Request) {
			conn, buf, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			_, _ = buf.WriteString("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n")
			_ = buf.Flush()
			_ = conn.(*net.TCPConn).SetLinger(0) // close with a reset
			_ = conn.Close()
		}, CodeNetwork, 200},
		"cut error body":            {raw(t, "HTTP/1.1 422 X\r\nContent-Length: 999\r\n\r\n{\"errors\":["), CodeNetwork, 422},
		"C8 packed, cut":            {gzipped(good[:len(good)/2]), CodeNetwork, 200},
		"C8 packed, not":            {gzipped([]byte(connectionJSON)), CodeNetwork, 200},
		"C8 packed twice":           {gzipped(packed(string(good))), CodeMalformed, 200},
		"C8 packed bomb":            {gzipped(packed(`{"x":"` + strings.Repeat("a", maxAnswer) + `"}`)), CodeTooLarge, 200},
		"C9 endless":                {endless, CodeTooLarge, 200},
		"C9 endless spaces":         {raw(t, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat(" ", maxAnswer+1)), CodeTooLarge, 200},
		"C11 C39 headers too large": {raw(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 128<<10)+"\r\n\r\n{}"), CodeNetwork, 0},
		"C39 60 KiB of cookies": {func(w http.ResponseWriter, _ *http.Request) {
			for i := range 60 {
				w.Header().Add("Set-Cookie", fmt.Sprintf("c%d=%s", i, strings.Repeat("x", 1000)))
			}
			reply(w, 200, connectionJSON)
		}, "", 0},
		"C40 no date": {raw(t, fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s", len(connectionJSON), connectionJSON)), "", 0},
		"C38 another's answer": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Request-Id", "11111111-1111-4111-8111-111111111111")
			reply(w, 200, connectionJSON)
		}, CodeMixedUp, 200},
		"request id missing": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Del("X-Request-Id")
			reply(w, 200, connectionJSON)
		}, "", 0},
		"huge error page": {answer(500, strings.Repeat("x", 10*maxErrorAnswer)), CodeUnknownErrorAnswer, 500},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := overTheWire(t, tokenThen(test.handler))
			_, err := c.Connection(t.Context(), c.User("u"), 7)
			if test.code == "" {
				if err != nil {
					t.Fatalf("got %v, want success", err)
				}
				return
			}
			if e := wantError(t, err, ClassRetry, test.code); e.Status != test.status {
				t.Errorf("got status %d, want %d", e.Status, test.status)
			}
		})
	}
}

// Cookies are not kept, and the other side's clock does not matter.
func TestCookiesAndClocks(t *testing.T) {
	t.Parallel()
	for name, skew := range map[string]time.Duration{
		"C39 C40 a day ahead":  24 * time.Hour,
		"C39 C40 a day behind": -24 * time.Hour,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var calls, cookies atomic.Int32
			c := overTheWire(t, tokenThen(func(w http.ResponseWriter, r *http.Request) {
				calls.Add(1)
				if len(r.Cookies()) > 0 {
					cookies.Add(1)
				}
				http.SetCookie(w, &http.Cookie{Name: "session", Value: strings.Repeat("x", 4000), Path: "/", Expires: time.Now().Add(time.Hour)})
				w.Header().Set("Date", time.Now().Add(skew).UTC().Format(http.TimeFormat))
				reply(w, 200, connectionJSON)
			}))
			for range 3 {
				if _, err := c.Connection(t.Context(), c.User("u"), 7); err != nil {
					t.Fatal(err)
				}
			}
			if calls.Load() != 3 || cookies.Load() != 0 {
				t.Errorf("%d calls, %d with a cookie; want 3 and none", calls.Load(), cookies.Load())
			}
		})
	}
}

// endless sends JSON until nobody reads it any more.
func endless(w http.ResponseWriter, _ *http.Request) {
	_, err := io.WriteString(w, `{"x":[0`)
	for err == nil {
		_, err = io.WriteString(w, strings.Repeat(",0", 32<<10))
	}
}

func TestEveryCutOfAnAnswer(t *testing.T) {
	t.Parallel()
	p := newProvider()
	c := p.client(t)
	user := c.User("u")
	full := pageJSON(1, 1, 1, rowJSON)
	for n := range len(full) {
		c.gate.breaker = newBreaker() // it would be open after the first twenty
		p.on("list_transactions", answer(200, full[:n]))
		if _, err := c.Transactions(t.Context(), user, 11, 1); err == nil {
			t.Fatalf("got success with %d of %d bytes", n, len(full))
		}
	}
}

func TestTimeouts(t *testing.T) {
	t.Parallel()
	slow := func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }
	drip := func(w http.ResponseWriter, r *http.Request) {
		for i := 0; r.Context().Err() == nil; i++ {
			_, _ = fmt.Fprint(w, " ")
			_ = http.NewResponseController(w).Flush()
			time.Sleep(time.Millisecond)
		}
	}
	headers := func(w http.ResponseWriter, _ *http.Request) {
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		_, err = io.WriteString(conn, "HTTP/1.1 200 OK\r\n")
		for i := 0; err == nil; i++ {
			_, err = fmt.Fprintf(conn, "X-%d: x\r\n", i)
			time.Sleep(time.Millisecond)
		}
	}
	for name, h := range map[string]http.HandlerFunc{
		"no answer":             slow,
		"C10 byte by byte":      drip,
		"C11 headers never end": headers,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c := overTheWire(t, tokenThen(h), func(config *Config) { config.RequestTimeout = 100 * time.Millisecond })
			started := time.Now()
			_, err := c.Connection(t.Context(), c.User("u"), 7)
			wantError(t, err, ClassRetry, CodeTimeout)
			if took := time.Since(started); took > 3*time.Second {
				t.Errorf("took %s, want about the request timeout", took)
			}
			if b := c.gate.breaker; b.downs != 0 {
				t.Error("one slow answer counts as a sign of being down")
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	t.Parallel()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	url := "http://" + listener.Addr().String()
	_ = listener.Close()
	config := testConfig()
	config.AccessURL, config.WebFormURL = url, url
	c := newClient(t, config)
	for i := range breakerInARow - 1 {
		e := wantError(t, readForm(t.Context(), c, c.User("u")), ClassRetry, CodeNetwork)
		if !strings.Contains(e.Error(), "no connection") {
			t.Errorf("call %d: got %q, want it to say that there was no connection", i, e)
		}
	}
	wantError(t, readForm(t.Context(), c, c.User("u")), ClassUnavailable, CodeNetwork) // opens the breaker
	wantError(t, readForm(t.Context(), c, c.User("u")), ClassUnavailable, CodeBreakerOpen)
}

// Each way in which TLS fails is a fault of the network, and the error names it.
func TestNoTLS(t *testing.T) {
	t.Parallel()
	const refused = "the host's certificate was refused"
	const soon, past = time.Hour, -time.Hour
	shows := func(host string, life time.Duration) *tls.Config {
		c, err := selfsigned.New(life, host)
		if err != nil {
			t.Fatal(err)
		}
		return &tls.Config{Certificates: []tls.Certificate{c.TLS}}
	}
	for name, test := range map[string]struct {
		server  *tls.Config // nil: no TLS
		trusted bool        // the client knows who has signed its certificate
		says    string      // empty: it goes well
	}{
		"good":             {shows("127.0.0.1", soon), true, ""},
		"C36 self-signed":  {shows("127.0.0.1", soon), false, refused},
		"C36 expired":      {shows("127.0.0.1", past), true, refused},
		"C36 another host": {shows("finapi.example.test", soon), true, refused},
		"no agreement": {&tls.Config{GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			return nil, errors.New("no")
		}}, false, "the host refused to talk TLS"},
		"no TLS": {nil, false, "the host does not talk TLS"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewUnstartedServer(newProvider())
			server.Config.ErrorLog = log.New(io.Discard, "", 0)
			if server.TLS = test.server; test.server == nil {
				server.Start()
			} else {
				server.StartTLS()
			}
			t.Cleanup(server.Close)
			url := "https://" + server.Listener.Addr().String()
			config := testConfig()
			config.AccessURL, config.WebFormURL = url, url
			if test.trusted {
				transport := newTransport(1)
				transport.TLSClientConfig.RootCAs = x509.NewCertPool()
				transport.TLSClientConfig.RootCAs.AddCert(test.server.Certificates[0].Leaf)
				t.Cleanup(transport.CloseIdleConnections)
				config.Transport = transport
			}
			c := newClient(t, config)
			_, err := c.Connection(t.Context(), User{ID: "u"}, 7)
			if test.says == "" {
				if err != nil {
					t.Errorf("got %v, want success", err)
				}
				return
			}
			if e := wantError(t, err, ClassRetry, CodeNetwork); !strings.Contains(e.Error(), test.says) {
				t.Errorf("got %q, want it to say that %s", e, test.says)
			}
		})
	}
}

func TestRedirectsAreNotFollowed(t *testing.T) {
	t.Parallel()
	var followed atomic.Int32
	other := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { followed.Add(1) }))
	t.Cleanup(other.Close)
	for _, status := range []int{301, 302, 303, 307, 308} {
		c := overTheWire(t, tokenThen(func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, other.URL+"/secret-canary", status)
		}))
		for op, call := range calls(c, c.User("u")) {
			err := call(t.Context())
			e := wantError(t, err, ClassRetry, CodeUnknownErrorAnswer)
			if e.Status != status || strings.Contains(err.Error(), "canary") {
				t.Errorf("%s: got %v, want status %d and no URL", op, err, status)
			}
		}
	}
	if got := followed.Load(); got != 0 {
		t.Errorf("got %d calls to the other host, want none", got)
	}
}

func TestCallerGoesAway(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithCancel(t.Context())
	c := overTheWire(t, tokenThen(func(_ http.ResponseWriter, r *http.Request) {
		cancel()
		<-r.Context().Done()
	}))
	_, err := c.Connection(ctx, c.User("u"), 7)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want context.Canceled", err)
	}
	if _, ok := errors.AsType[*Error](err); ok {
		t.Errorf("got an *Error, want the context's: %v", err)
	}
	if strings.Contains(err.Error(), "127.0.0.1") {
		t.Errorf("the error quotes the URL: %v", err)
	}
	if inFlight, waiting, _ := c.gate.limiter.state(); inFlight != 0 || waiting != 0 {
		t.Errorf("got %d in flight and %d waiting after the call, want none", inFlight, waiting)
	}
}

func TestErrorsOfTheNetworkNameNoForm(t *testing.T) {
	t.Parallel()
	c := overTheWire(t, tokenThen(raw(t, "")))
	for op, call := range calls(c, c.User("u")) {
		err := call(t.Context())
		if err == nil || strings.Contains(err.Error(), testFormID) || strings.Contains(err.Error(), "http") {
			t.Errorf("%s: got %v, want an error without a URL", op, err)
		}
		c.gate.breaker = newBreaker()
	}
}
