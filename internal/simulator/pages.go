package simulator

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"strconv"
	"strings"
	"time"
)

//go:embed web
var web embed.FS

// pages renders what people see. Every page has a word for itself in the data-page
// attribute of its body, so that a program can tell where it is.
type pages struct {
	byName map[string]*template.Template
	static http.Handler
}

// pageNames are the files in web that are pages.
func pageNames() []string { return []string{"bank", "login", "tan", "accounts", "ended", "front"} }

func newPages() (*pages, error) {
	p := &pages{byName: make(map[string]*template.Template)}
	for _, name := range pageNames() {
		t, err := template.New("layout.html").Funcs(words()).ParseFS(web, "web/layout.html", "web/parts.html", "web/"+name+".html")
		if err != nil {
			return nil, fmt.Errorf("page %s: %w", name, err)
		}
		p.byName[name] = t
	}
	static, err := fs.Sub(web, "web/static")
	if err != nil {
		return nil, err
	}
	p.static = http.StripPrefix("/static/", http.FileServerFS(static))
	return p, nil
}

// words are what templates can say.
func words() template.FuncMap {
	return template.FuncMap{
		"ago": func(now, t time.Time) string { return span(now.Sub(t)) + " ago" },
		"left": func(now, t time.Time) string {
			if d := t.Sub(now); d > 0 {
				return span(d)
			}
			return "no time"
		},
		"exact":     func(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") },
		"short":     shorten,
		"thousands": func(n int) string { return thousands(strconv.Itoa(n)) },
		"amount":    func(s fmt.Stringer) string { return padded(s.String()) },
	}
}

// span is a duration as people say it.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return "1 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%d min", d.Round(time.Minute)/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", d.Round(time.Hour)/time.Hour)
	default:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	}
}

// shorten leaves out the middle of an id.
func shorten(id string) string {
	if len(id) <= 12 {
		return id
	}
	return id[:4] + "…" + id[len(id)-4:]
}

// thousands puts commas into the whole part of a number.
func thousands(digits string) string {
	sign := ""
	if strings.HasPrefix(digits, "-") {
		sign, digits = "−", digits[1:]
	}
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return sign + digits
}

// padded is an amount with two decimal places, as a person writes it.
func padded(amount string) string {
	whole, fraction, _ := strings.Cut(amount, ".")
	return thousands(whole) + "." + (fraction + "00")[:2]
}

// pageHeaders are for everything that a browser shows. A form's URL is a secret,
// so no other site may learn it as a referrer.
func pageHeaders(h http.Header) {
	h.Set("Content-Security-Policy", "default-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; object-src 'none'")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("X-Content-Type-Options", "nosniff")
}

// show writes a page.
func (s *Simulator) show(w http.ResponseWriter, status int, name string, data any) {
	var b bytes.Buffer
	if err := s.pages.byName[name].ExecuteTemplate(&b, "layout.html", data); err != nil { // a bug
		s.log.Error("render page", "page", name, "err", err)
		http.Error(w, "the simulator could not write this page", http.StatusInternalServerError)
		return
	}
	pageHeaders(w.Header())
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	if _, err := b.WriteTo(w); err != nil {
		s.log.Debug("page was not read to its end", "page", name, "err", err)
	}
}

// pageRoutes adds the web form and the front page. Posts from other sites are
// refused; besides, a form's id is a secret and its cookie stays on this site.
func (s *Simulator) pageRoutes(mux *http.ServeMux) {
	own := http.NewCrossOriginProtection()
	page := func(pattern string, h http.HandlerFunc) { mux.Handle(pattern, own.Handler(h)) }

	page("GET /{$}", s.frontPage)
	page("POST /connections/{id}/delete", s.disconnect)
	page("POST /faults", s.switchFaults)
	page("GET /faults", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/#faults", http.StatusSeeOther) })
	page("GET /faults.json", s.listFaults)
	page("GET /changes", s.tellChanges)
	page("GET /journal.json", s.writeJournal)
	page("GET /static/", func(w http.ResponseWriter, r *http.Request) {
		pageHeaders(w.Header())
		w.Header().Set("Cache-Control", "no-cache")
		s.pages.static.ServeHTTP(w, r)
	})

	page("GET /wf/{id}", s.showForm)
	page("POST /wf/{id}/bank", s.step(stepBank, s.chooseBank))
	page("POST /wf/{id}/login", s.step(stepLogin, s.logIn))
	page("POST /wf/{id}/tan", s.step(stepTAN, s.confirm))
	page("POST /wf/{id}/accounts", s.step(stepAccounts, s.chooseAccounts))
	page("POST /wf/{id}/cancel", s.step(anyStep, s.abort))
}

// parseFields reads what a person has posted.
func parseFields(w http.ResponseWriter, r *http.Request) bool {
	r.Body = http.MaxBytesReader(w, r.Body, 64<<10)
	err := r.ParseForm()
	if err == nil {
		return true
	}
	status := http.StatusBadRequest
	if _, ok := errors.AsType[*http.MaxBytesError](err); ok {
		status = http.StatusRequestEntityTooLarge
	}
	http.Error(w, "the simulator could not read what was posted", status)
	return false
}
