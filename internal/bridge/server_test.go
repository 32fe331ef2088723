package bridge

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/selfsigned"
)

// served is a bridge that listens.
type served struct {
	*fixture
	addr string
	stop func() error // ends Serve and returns what it said
}

func serve(t testing.TB, c Config) *served {
	t.Helper()
	f := newFixture(t, c)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- f.Serve(ctx, listener) }()
	s := &served{fixture: f, addr: listener.Addr().String(), stop: sync.OnceValue(func() error {
		cancel()
		return <-ended
	})}
	t.Cleanup(func() {
		if err := s.stop(); err != nil {
			t.Errorf("Serve: %v", err)
		}
	})
	return s
}

func (s *served) dial(t testing.TB) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn
}

// send writes a request as it is and returns the status, 0 where the
// connection ends without one.
func (s *served) send(t testing.TB, raw string) int {
	t.Helper()
	conn := s.dial(t)
	if _, err := io.WriteString(conn, raw); err != nil {
		t.Logf("write: %v", err) // it may be refused before it is all there
	}
	return status(conn)
}

func status(conn net.Conn) int {
	response, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return 0
	}
	response.Body.Close()
	return response.StatusCode
}

// Requests as they come over the wire. Each has an answer and a number of
// records, and the bridge lives.
func TestServe_RawRequests(t *testing.T) {
	t.Parallel()
	chunked := "Transfer-Encoding: chunked\r\n"
	body := fmt.Sprintf("Content-Length: %d\r\n\r\n%s", len(goodBody), goodBody)
	for _, c := range []struct {
		name, raw string // {p} is the path with a good token
		want      int    // 0: the connection ends
		records   int
	}{
		{"good", "POST {p} HTTP/1.1\r\nHost: x\r\n" + body, 200, 1},
		{"B1 GET", "GET {p} HTTP/1.1\r\nHost: x\r\n\r\n", 405, 0},
		{"B1 OPTIONS *", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, 0},
		{"B3 backslashes", "POST \\callbacks\\finapi HTTP/1.1\r\nHost: x\r\n\r\n", 400, 0},
		{"B14 no content type", "POST {p} HTTP/1.1\r\nHost: x\r\n" + body, 200, 1},
		{"B14 wrong content type", "POST {p} HTTP/1.1\r\nHost: x\r\nContent-Type: text/html; charset=utf-16\r\n" + body, 200, 1},
		{"B15 says gzip", "POST {p} HTTP/1.1\r\nHost: x\r\nContent-Encoding: gzip\r\n" + body, 200, 1},
		{"B16 10 GiB announced", "POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: 10737418240\r\n\r\nx", 413, 0},
		{"B17 chunks", "POST {p} HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n2;x=y\r\n{}\r\n0\r\n\r\n", 200, 1},
		{"B17 bad chunk size", "POST {p} HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\nzz\r\n{}\r\n0\r\n\r\n", 200, 1},
		{"B17 chunks without end", "POST {p} HTTP/1.1\r\nHost: x\r\n" + chunked + "\r\n" + strings.Repeat("400\r\n"+strings.Repeat("x", 1024)+"\r\n", 5), 413, 0},
		{"B18 two lengths", "POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}", 400, 0},
		{"B18 negative length", "POST {p} HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", 400, 0},
		{"B18 unknown transfer encoding", "POST {p} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, 0},
		{"B19 head of 9 KiB", "POST {p} HTTP/1.1\r\nHost: x\r\nX: " + strings.Repeat("x", 9<<10) + "\r\n\r\n", 431, 0},
		{"B19 10,000 headers", "POST {p} HTTP/1.1\r\nHost: x\r\n" + strings.Repeat("X: y\r\n", 10_000) + "\r\n", 431, 0},
		{"B19 header without colon", "POST {p} HTTP/1.1\r\nHost: x\r\nX\r\n\r\n", 400, 0},
		{"B20 HTTP/1.0", "POST {p} HTTP/1.0\r\n" + body, 200, 1},
		{"B20 HTTP/0.9", "GET {p}\r\n\r\n", 400, 0},
		{"B20 garbage", "\x00\x01\x02\x03\r\n\r\n", 400, 0},
		{"B20 TLS on a plain port", "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, 0},
		{"B24 HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 404, 0},
		{"B25 websocket", "GET {p} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 405, 0},
		{"B25 upgrade to h2c", "POST {p} HTTP/1.1\r\nHost: x\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n" + body, 200, 1},
		{"B34 another host", "POST {p} HTTP/1.1\r\nHost: evil.example.com\r\n" + body, 200, 1},
		{"B34 no host", "POST {p} HTTP/1.1\r\n" + body, 400, 0},
		{"B34 absolute target", "POST http://bridge.example.com{p} HTTP/1.1\r\nHost: x\r\n" + body, 200, 1},
		{"B35 forwarded for", "POST {p} HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: " + strings.Repeat("10.0.0.1, ", 500) + "\r\n" + body, 200, 1},
		{"B39 path that is not UTF-8", "POST /callbacks/finapi/\xff\xfe HTTP/1.1\r\nHost: x\r\n\r\n", 404, 0},
		{"B40 a huge query", "POST {p}?" + strings.Repeat("x=y&", 1500) + " HTTP/1.1\r\nHost: x\r\n" + body, 200, 1},
		{"B40 too huge a query", "POST {p}?" + strings.Repeat("x=y&", 3000) + " HTTP/1.1\r\nHost: x\r\n" + body, 431, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, Config{})
			if got := s.send(t, strings.ReplaceAll(c.raw, "{p}", Path+s.token)); got != c.want {
				t.Errorf("got status %d, want %d", got, c.want)
			}
			if got := s.writer.count(); got != c.records {
				t.Errorf("got %d records, want %d", got, c.records)
			}
			if got := s.send(t, "POST "+Path+s.token+" HTTP/1.1\r\nHost: x\r\n"+body); got != 200 {
				t.Errorf("the next request: got status %d, want 200", got)
			}
		})
	}
}

// A refusal arrives although the server does not wait for the body: a
// connection that is closed on unread bytes would be reset under the client.
func TestServe_RefusalArrives(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 20 * time.Second}
	for _, c := range []struct {
		token string
		size  int
		want  int
	}{
		{s.token, 100_000, http.StatusRequestEntityTooLarge},
		{s.token, 1_000_000, http.StatusRequestEntityTooLarge},
		{"x", 100_000, http.StatusNotFound},
	} {
		for range 20 {
			response, err := client.Post("http://"+s.addr+Path+c.token, "application/json", strings.NewReader(strings.Repeat("x", c.size)))
			if err != nil {
				t.Errorf("%d bytes, want %d: %v", c.size, c.want, err)
				break
			}
			response.Body.Close()
			if response.StatusCode != c.want {
				t.Errorf("%d bytes: got status %d, want %d", c.size, response.StatusCode, c.want)
			}
		}
	}
}

// Who is slow loses the connection; a hint whose body is slow is a hint.
func TestServe_SlowClients(t *testing.T) {
	t.Parallel()
	const soon = 500 * time.Millisecond
	s := serve(t, Config{HeaderTimeout: soon, RequestTimeout: 2 * soon, IdleTimeout: soon})
	head := "POST " + Path + s.token + " HTTP/1.1\r\nHost: x\r\n"
	for _, c := range []struct {
		name, raw string
		want      int
		records   int // so far
	}{
		{"B21 nothing", "", 0, 0},
		{"B21 slow head", head[:20], 400, 0},
		{"B21 slow body", head + "Content-Length: 100\r\n\r\n" + goodBody[:10], 200, 1},
		{"B22 waits to be told to go on", head + "Content-Length: 100\r\nExpect: 100-continue\r\n\r\n", 200, 1},
		{"B17 chunks that stop", head + "Transfer-Encoding: chunked\r\n\r\n5\r\n{", 200, 1},
		{"a bad token is answered at once", "POST " + Path + "x HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n", 404, 1},
	} {
		conn := s.dial(t)
		if _, err := io.WriteString(conn, c.raw); err != nil {
			t.Fatal(err)
		}
		reader := bufio.NewReader(conn)
		got := 0
		for {
			response, err := http.ReadResponse(reader, nil)
			if err != nil {
				break
			}
			if got = response.StatusCode; got != http.StatusContinue {
				response.Body.Close()
				break
			}
		}
		if got != c.want {
			t.Errorf("%s: got status %d, want %d", c.name, got, c.want)
		}
		if _, err := io.Copy(io.Discard, reader); errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: the connection is still open", c.name)
		}
		if got := s.writer.count(); got != c.records { // repeats of one hint without a form
			t.Errorf("%s: got %d records so far, want %d", c.name, got, c.records)
		}
	}
}

// A client that leaves before the answer has still told us.
func TestServe_ClientLeaves(t *testing.T) {
	t.Parallel()
	published, release := make(chan struct{}), make(chan struct{})
	w := &writerFunc{write: func(ctx context.Context) error {
		<-release
		close(published)
		return ctx.Err()
	}}
	s := serve(t, Config{Writer: w})
	conn := s.dial(t)
	fmt.Fprintf(conn, "POST %s%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", Path, s.token, len(goodBody), goodBody)
	conn.Close()
	close(release)
	select {
	case <-published:
	case <-time.After(20 * time.Second):
		t.Error("the hint was not published")
	}
}

func TestServe_Pipelined(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	conn := s.dial(t)
	one := fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", Path, s.token, len(goodBody), goodBody)
	go io.WriteString(conn, strings.Repeat(one, 1000))
	reader := bufio.NewReader(conn)
	for i := range 1000 {
		response, err := http.ReadResponse(reader, nil)
		if err != nil || response.StatusCode != 200 {
			t.Fatalf("answer %d: got %v, %v", i, response, err)
		}
		response.Body.Close()
	}
	if got := s.writer.count(); got != 1 {
		t.Errorf("got %d records, want 1", got)
	}
}

func TestServe_ConnectionLimit(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{MaxConnections: 2, HeaderTimeout: time.Second})
	s.dial(t)
	s.dial(t)
	begin := time.Now()
	if got := s.send(t, "POST "+Path+"x HTTP/1.1\r\nHost: x\r\n\r\n"); got != 404 {
		t.Errorf("got status %d, want 404 once the idle ones have lost their places", got)
	}
	if took := time.Since(begin); took < 500*time.Millisecond {
		t.Errorf("the third connection was answered after %s beside two that are open", took)
	}
}

func TestServe_TLS(t *testing.T) {
	t.Parallel()
	certificate, err := selfsigned.New(selfsigned.Life, "bridge.bankimport.test", "127.0.0.1")
	if err != nil {
		t.Fatal(err)
	}
	s := serve(t, Config{TLS: &tls.Config{Certificates: []tls.Certificate{certificate.TLS}}})
	post := func(host string, c *tls.Config) (*http.Response, error) {
		transport := &http.Transport{TLSClientConfig: c, ForceAttemptHTTP2: true, DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, network, s.addr)
		}}
		defer transport.CloseIdleConnections()
		return (&http.Client{Transport: transport}).Post("https://"+host+Path+s.token, "application/json", strings.NewReader(goodBody))
	}
	for _, host := range []string{"bridge.bankimport.test", "127.0.0.1"} {
		response, err := post(host, &tls.Config{RootCAs: certificate.Trusted})
		if err != nil {
			t.Errorf("%s: %v", host, err)
			continue
		}
		response.Body.Close()
		if response.StatusCode != 200 || response.Proto != "HTTP/1.1" {
			t.Errorf("%s: got %d over %s, want 200 over HTTP/1.1", host, response.StatusCode, response.Proto)
		}
	}
	for name, c := range map[string]*tls.Config{"nobody trusts it": {}, "TLS 1.1": {RootCAs: certificate.Trusted, MaxVersion: tls.VersionTLS11}} {
		if response, err := post("bridge.bankimport.test", c); err == nil {
			response.Body.Close()
			t.Errorf("%s: got %d, want no connection", name, response.StatusCode)
		}
	}
	if _, err := post("other.example.com", &tls.Config{RootCAs: certificate.Trusted}); err == nil {
		t.Error("another host: got a connection")
	}
	if got := s.send(t, "POST "+Path+s.token+" HTTP/1.1\r\nHost: x\r\n\r\n"); got != 400 {
		t.Errorf("plain HTTP: got status %d, want 400", got)
	}
}

// Stopping lets a request finish, and Serve returns when all has ended.
func TestServe_StopsInOrder(t *testing.T) {
	t.Parallel()
	inside, release := make(chan struct{}), make(chan struct{})
	s := serve(t, Config{Writer: &writerFunc{write: func(context.Context) error {
		close(inside)
		<-release
		return nil
	}}})
	answered := make(chan int)
	go func() {
		answered <- s.send(t, fmt.Sprintf("POST %s%s HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n%s", Path, s.token, len(goodBody), goodBody))
	}()
	<-inside
	stopped := make(chan error)
	go func() { stopped <- s.stop() }()
	for { // it listens until it has begun to stop
		conn, err := net.Dial("tcp", s.addr)
		if err != nil {
			break
		}
		conn.Close()
	}
	select {
	case err := <-stopped:
		t.Errorf("it stopped with a request inside: %v", err)
	default:
	}
	close(release)
	if got := <-answered; got != 200 {
		t.Errorf("the request inside: got status %d, want 200", got)
	}
	if err := <-stopped; err != nil {
		t.Errorf("Serve: %v", err)
	}
}

func TestServe_SaysWhyItCannot(t *testing.T) {
	t.Parallel()
	f := newFixture(t, Config{})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listener.Close()
	if err := f.Serve(t.Context(), listener); err == nil || !strings.Contains(err.Error(), "bridge: serve on 127.0.0.1:") {
		t.Errorf("got %v, want the address in it", err)
	}
}

// The server's own log must not carry what clients send.
func TestServe_LogsNoTokens(t *testing.T) {
	t.Parallel()
	s := serve(t, Config{})
	s.send(t, "POST "+Path+s.token+" HTTP/1.1\r\nHost: x\r\nX\r\n\r\n")
	s.send(t, "POST "+Path+s.token+";a;b?x;y HTTP/1.1\r\nHost: x\r\n\r\n")
	s.send(t, "POST "+Path+s.token+"\x00 HTTP/1.1\r\nHost: x\r\n\r\n")
	if err := s.stop(); err != nil {
		t.Error(err)
	}
	if bytes.Contains(s.log.Bytes(), []byte(s.token[:20])) {
		t.Errorf("a token is in the log:\n%s", s.log)
	}
}
