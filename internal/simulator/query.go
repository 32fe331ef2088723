package simulator

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
	"github.com/bankimport/bankimport/internal/simulator/bankdata"
)

const (
	maxIDs         = 1000
	defaultPerPage = 20
	maxPerPage     = 500
)

// query reads the parameters of a list call and keeps the first thing that is
// wrong. Parameters that nobody asks for are ignored, as the provider seems to do.
type query struct {
	values url.Values
	no     *refusal
}

func (c *call) query() *query { return &query{values: c.r.URL.Query()} }

func (q *query) wrong(code, name, de, en string) {
	if q.no == nil {
		q.no = refuse(http.StatusBadRequest, code, name+": "+de, name+": "+en)
		q.no.fields = []api.FormInvalidField{{Field: name, Message: en}}
	}
}

// list splits at commas and takes repeated parameters too: clients do both.
func (q *query) list(name string) []string {
	var all []string
	for _, v := range q.values[name] {
		for part := range strings.SplitSeq(v, ",") {
			if part = strings.TrimSpace(part); part != "" {
				all = append(all, part)
			}
		}
	}
	return all
}

// ids is a set of numbers, nil where the parameter is absent.
func (q *query) ids(name string) map[int64]bool {
	list := q.list(name)
	if len(list) == 0 {
		return nil
	}
	if len(list) > maxIDs {
		q.wrong("TOO_MANY_IDS", name, "höchstens 1000 IDs.", "1000 ids at most.")
		return nil
	}
	set := make(map[int64]bool, len(list))
	for _, text := range list {
		id, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			q.wrong("BAD_REQUEST", name, "keine Zahl.", "not a number.")
		}
		set[id] = true
	}
	return set
}

// words is a set out of the allowed words, nil where the parameter is absent.
func (q *query) words(name string, allowed ...string) map[string]bool {
	var set map[string]bool
	for _, w := range q.list(name) {
		known := false
		for _, a := range allowed {
			known = known || a == w
		}
		if !known {
			q.wrong("BAD_REQUEST", name, "unbekannter Wert.", "unknown value; there are "+strings.Join(allowed, ", ")+".")
		}
		if set == nil {
			set = make(map[string]bool)
		}
		set[w] = true
	}
	return set
}

// one is a word out of the allowed ones, the first of them where it is absent.
func (q *query) one(name string, allowed ...string) string {
	v := q.values.Get(name)
	if v == "" {
		return allowed[0]
	}
	if slices.Contains(allowed, v) {
		return v
	}
	q.wrong("BAD_REQUEST", name, "unbekannter Wert.", "unknown value; there are "+strings.Join(allowed, ", ")+".")
	return allowed[0]
}

// flag is nil where the parameter is absent.
func (q *query) flag(name string) *bool {
	v := q.values.Get(name)
	if v == "" {
		return nil
	}
	b, err := strconv.ParseBool(v)
	if err != nil {
		q.wrong("BAD_REQUEST", name, "weder true noch false.", "neither true nor false.")
	}
	return &b
}

// cents is an amount of at most two decimal places, nil where it is absent.
func (q *query) cents(name string) *bankdata.Cents {
	v := q.values.Get(name)
	if v == "" {
		return nil
	}
	c, err := bankdata.ParseCents(v)
	if err != nil {
		q.wrong("BAD_REQUEST", name, "kein Betrag mit höchstens zwei Nachkommastellen.", "not an amount with two decimal places at most.")
	}
	return &c
}

// date is a calendar day as text, which sorts like the day; "" where it is absent.
func (q *query) date(name string) string {
	v := q.values.Get(name)
	if v == "" {
		return ""
	}
	if _, err := time.Parse(time.DateOnly, v); err != nil {
		q.wrong("BAD_REQUEST", name, "kein Datum JJJJ-MM-TT.", "not a date YYYY-MM-DD.")
	}
	return v
}

// newestFirst reads in which order forms and tasks are wanted.
func (q *query) newestFirst() bool {
	newest := string(api.WebFormOrderNewestFirst)
	return q.one("order", string(api.WebFormOrderOldestFirst), newest) == newest
}

// page is which part of a list is asked for.
type page struct{ number, size int }

func (q *query) page() page {
	p := page{1, defaultPerPage}
	if v := q.values.Get("page"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 {
			q.wrong("BAD_REQUEST", "page", "muss mindestens 1 sein.", "must be 1 at least.")
		}
		p.number = n
	}
	if v := q.values.Get("perPage"); v != "" {
		n, err := strconv.Atoi(v)
		if err != nil || n < 1 || n > maxPerPage {
			q.wrong("ILLEGAL_PAGE_SIZE", "perPage", "muss zwischen 1 und 500 liegen.", "must be from 1 to 500.")
		}
		p.size = n
	}
	return p
}

// of is the page's part of so many things. A page past the end is empty; the
// provider's documents say nothing about it.
func (p page) of(total int) (from, to int) {
	if p.number-1 > total/p.size {
		return total, total
	}
	from = min((p.number-1)*p.size, total)
	return from, min(from+p.size, total)
}

func (p page) paging(total int) api.Paging {
	count := (total + p.size - 1) / p.size
	return api.Paging{Page: &p.number, PerPage: api.UnreadInt(p.size), PageCount: &count, TotalCount: &total}
}
