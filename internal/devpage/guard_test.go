package devpage

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestGuard_Host(t *testing.T) {
	t.Parallel()
	p := newPage(func(c *Config) { c.Host = "dev.internal" })
	for host, want := range map[string]int{
		"localhost":              http.StatusOK,
		"LOCALHOST:8080":         http.StatusOK,
		"localhost.:8080":        http.StatusOK,
		"page.localhost:8080":    http.StatusOK,
		"127.0.0.1":              http.StatusOK,
		"127.8.8.8:8080":         http.StatusOK,
		"[::1]:8080":             http.StatusOK,
		"[::ffff:127.0.0.1]:80":  http.StatusOK,
		"dev.internal:8080":      http.StatusOK,
		"DEV.internal":           http.StatusOK,
		"evil.example":           http.StatusMisdirectedRequest,
		"127.0.0.1.evil.example": http.StatusMisdirectedRequest,
		"localhost.evil.example": http.StatusMisdirectedRequest,
		"evillocalhost":          http.StatusMisdirectedRequest,
		"192.168.0.2:8080":       http.StatusMisdirectedRequest,
		"0.0.0.0:8080":           http.StatusMisdirectedRequest,
		"x.dev.internal":         http.StatusMisdirectedRequest,
		"":                       http.StatusMisdirectedRequest,
		":8080":                  http.StatusMisdirectedRequest,
	} {
		t.Run(host, func(t *testing.T) {
			t.Parallel()
			for _, path := range []string{"/", "/assets/page.js"} {
				r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, path, nil)
				r.Host = host
				if got := send(p, r).Code; got != want {
					t.Errorf("%s: got status %d, want %d", path, got, want)
				}
			}
		})
	}
}

// Without a Host in the configuration, an empty name is still none of ours.
func TestGuard_NoOtherHost(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"", ":80", ".", "dev.internal"} {
		if ownHost(host, "") {
			t.Errorf("%q is taken for one of ours", host)
		}
	}
}

func TestGuard_CrossSite(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		header, value string
		want          int
	}{
		"our own page":           {"Sec-Fetch-Site", "same-origin", http.StatusSeeOther},
		"typed by the user":      {"Sec-Fetch-Site", "none", http.StatusSeeOther},
		"another page":           {"Sec-Fetch-Site", "cross-site", http.StatusForbidden},
		"another port":           {"Sec-Fetch-Site", "same-site", http.StatusForbidden},
		"old browser, our own":   {"Origin", "http://localhost:8080", http.StatusSeeOther},
		"old browser, another":   {"Origin", "http://evil.example", http.StatusForbidden},
		"old browser, sandboxed": {"Origin", "null", http.StatusForbidden},
		"no browser":             {"Accept", "*/*", http.StatusSeeOther},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPage()
			r := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost:8080/imports", strings.NewReader("user=u1&bank=280001"))
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			r.Header.Set(tc.header, tc.value)
			if got := send(p, r).Code; got != tc.want {
				t.Errorf("got status %d, want %d", got, tc.want)
			}
			if got, want := len(p.store.imports) == 1, tc.want == http.StatusSeeOther; got != want {
				t.Errorf("started: %t, want %t", got, want)
			}
		})
	}
}

// Every answer carries the headers, also those that refuse.
func TestGuard_Headers(t *testing.T) {
	t.Parallel()
	p := sampled()
	strange := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://evil.example/", nil)
	foreign := httptest.NewRequestWithContext(t.Context(), http.MethodPost, "http://localhost/imports", nil)
	foreign.Header.Set("Sec-Fetch-Site", "cross-site")
	for name, w := range map[string]*httptest.ResponseRecorder{
		"list": get(t, p, "/"), "import": get(t, p, "/imports/"+sampleRunning), "unknown": get(t, p, "/imports/x"),
		"nothing": get(t, p, "/nothing"), "asset": get(t, p, "/assets/page.css"), "strange host": send(p, strange), "cross-site": send(p, foreign),
	} {
		for header, want := range map[string]string{
			"Content-Security-Policy":      contentPolicy,
			"X-Content-Type-Options":       "nosniff",
			"X-Frame-Options":              "DENY",
			"Referrer-Policy":              "same-origin",
			"Cross-Origin-Opener-Policy":   "same-origin",
			"Cross-Origin-Resource-Policy": "same-origin",
		} {
			if got := w.Header().Get(header); got != want {
				t.Errorf("%s: got %s %q, want %q", name, header, got, want)
			}
		}
		want := "no-store"
		if name == "asset" {
			want = "no-cache"
		}
		if got := w.Header().Get("Cache-Control"); got != want {
			t.Errorf("%s: got Cache-Control %q, want %q", name, got, want)
		}
	}
	if !strings.HasPrefix(contentPolicy, "default-src 'self'") || strings.Contains(contentPolicy, "unsafe") {
		t.Errorf("the policy %q allows what is inline", contentPolicy)
	}
}

func TestAssets(t *testing.T) {
	t.Parallel()
	p := newPage()
	for name, kind := range map[string]string{"page.css": "text/css", "page.js": "text/javascript", "icon.svg": "image/svg+xml"} {
		w := get(t, p, "/assets/"+name)
		if got := w.Header().Get("Content-Type"); w.Code != http.StatusOK || !strings.HasPrefix(got, kind) {
			t.Errorf("%s: got %d %s, want 200 %s", name, w.Code, got, kind)
		}
		again := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "http://localhost/assets/"+name, nil)
		again.Header.Set("If-None-Match", w.Header().Get("ETag"))
		if got := send(p, again).Code; got != http.StatusNotModified {
			t.Errorf("%s, which the browser has: got %d, want 304", name, got)
		}
	}
	for _, name := range []string{"page.html", "..%2ftemplates%2flist.html", ""} {
		if got := get(t, p, "/assets/"+name).Code; got != http.StatusNotFound {
			t.Errorf("%q: got %d, want 404", name, got)
		}
	}
}
