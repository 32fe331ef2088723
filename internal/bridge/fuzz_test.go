package bridge

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// fuzzCanary stands in requests where nothing may be repeated. It is neither a
// form id nor a status word.
const fuzzCanary = "canary-77"

// Whatever is asked: only a token that opens publishes anything, once, and
// neither answer nor log tells more of the request than that.
func FuzzBridge_ServeHTTP(f *testing.F) {
	z := newFixture(f, Config{Remember: time.Nanosecond, PublishTimeout: time.Minute})
	f.Add(http.MethodPost, "", true, []byte(goodBody))
	f.Add(http.MethodPost, "", true, []byte(`{"webFormId":"`+fuzzCanary+`","status":"`+fuzzCanary+`"}`))
	f.Add(http.MethodPost, "", true, bytes.Repeat([]byte(fuzzCanary), maxBody/len(fuzzCanary)+1))
	f.Add(http.MethodGet, "", true, []byte{})
	f.Add(http.MethodPost, "/"+fuzzCanary, true, []byte(goodBody))
	f.Add(http.MethodPost, Path+fuzzCanary, false, []byte(goodBody))
	f.Add(http.MethodPost, "//"+Path, false, []byte(goodBody))
	f.Add(http.MethodPost, strings.Replace(Path, "finapi", "%66inapi", 1), false, []byte(goodBody))
	f.Add("\r\n", "/"+fuzzCanary, false, []byte{0xff})
	f.Fuzz(func(t *testing.T, method, path string, known bool, body []byte) {
		if known {
			path = Path + z.token + path
		}
		z.writer.mu.Lock()
		z.writer.messages = nil
		z.writer.mu.Unlock()
		z.log.Reset()
		u := &url.URL{Path: path}
		w := z.do(&http.Request{Method: method, URL: u, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(body)), ContentLength: int64(len(body))})

		want := http.StatusNotFound
		good := known && u.EscapedPath() == Path+z.token
		switch {
		case strings.HasPrefix(u.EscapedPath(), Path) && method != http.MethodPost:
			want = http.StatusMethodNotAllowed
		case good && len(body) > maxBody:
			want = http.StatusRequestEntityTooLarge
		case good:
			want = http.StatusOK
		}
		if w.Code != want {
			t.Errorf("%q %q: got status %d, want %d", method, path, w.Code, want)
		}
		if (z.writer.count() == 1) != (want == http.StatusOK) || z.writer.count() > 1 {
			t.Errorf("%q %q: %d records were published", method, path, z.writer.count())
		}
		checkQuiet(t, w, z.log.String(), z.token)
	})
}

// checkQuiet wants the answer that everybody gets, and nothing of the request in
// it or in the log.
func checkQuiet(t *testing.T, w *httptest.ResponseRecorder, log, token string) {
	t.Helper()
	answers := []string{"", http.StatusText(w.Code) + "\n"}
	if !slices.Contains(answers, w.Body.String()) {
		t.Errorf("got the answer %q, want one of %q", w.Body, answers)
	}
	if strings.Contains(log, fuzzCanary) || strings.Contains(log, token) || strings.Count(log, "\n") != 1 {
		t.Errorf("got in the log: %q", log)
	}
}
