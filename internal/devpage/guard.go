package devpage

import (
	"net"
	"net/http"
	"net/netip"
	"strings"
)

const contentPolicy = "default-src 'self'; base-uri 'none'; object-src 'none'; form-action 'self'; frame-ancestors 'none'"

// guard refuses what only somebody else's page would send. A page elsewhere can
// make a browser post to us (so posts must come from our own pages), and it can
// point its own name at loopback and then read our answers (so the Host must be
// one of ours).
func (p *Page) guard(next http.Handler) http.Handler {
	var posts http.CrossOriginProtection
	posts.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "this came from another page: start imports from the page itself", http.StatusForbidden)
	}))
	next = posts.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", contentPolicy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "same-origin") // no-referrer would also hide the Origin of our own posts
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !ownHost(r.Host, p.cfg.Host) {
			http.Error(w, "this page answers only as localhost or 127.0.0.1", http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ownHost says whether a Host header names loopback or also.
func ownHost(host, also string) bool {
	name := host
	if h, _, err := net.SplitHostPort(host); err == nil {
		name = h
	}
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if name == "" {
		return false
	}
	if name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.EqualFold(name, also) {
		return true
	}
	addr, err := netip.ParseAddr(strings.Trim(name, "[]"))
	return err == nil && addr.Unmap().IsLoopback()
}
