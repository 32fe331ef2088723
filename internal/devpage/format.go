package devpage

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// moment is an instant on the page: a rough distance to read, the exact instant
// behind it. The script keeps the distance fresh. The zero moment is none.
type moment struct {
	Exact string // RFC 3339, for the script
	Title string // for a person
	Text  string
	Kind  string // "ago" or "in"
}

func ago(now, t time.Time) moment { return at("ago", t, agoText(now.Sub(t))) }

func until(now, t time.Time) moment { return at("in", t, inText(t.Sub(now))) }

func at(kind string, t time.Time, text string) moment {
	if t.IsZero() {
		return moment{}
	}
	return moment{t.UTC().Format(time.RFC3339Nano), t.Local().Format("2006-01-02 15:04:05.000 MST"), text, kind}
}

func agoText(d time.Duration) string {
	if d < time.Second {
		return "just now"
	}
	return rough(d) + " ago"
}

func inText(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return "in " + rough(d)
}

// rough writes a duration of at least a second in its largest unit.
func rough(d time.Duration) string {
	switch {
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + " s"
	case d < time.Hour:
		return strconv.Itoa(int(d/time.Minute)) + " min"
	case d < 48*time.Hour:
		return strconv.Itoa(int(d/time.Hour)) + " h"
	default:
		return strconv.Itoa(int(d/(24*time.Hour))) + " days"
	}
}

// took writes how long something took.
func took(d time.Duration) string {
	switch {
	case d < 0:
		return ""
	case d < 10*time.Second:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + " s"
	case d < time.Minute:
		return rough(d)
	case d < time.Hour:
		return fmt.Sprintf("%d min %d s", d/time.Minute, d%time.Minute/time.Second)
	default:
		return fmt.Sprintf("%d h %d min", d/time.Hour, d%time.Hour/time.Minute)
	}
}

// ident is an id on the page, its middle hidden where it is long. All of it is
// there to be copied.
type ident struct{ Full, Head, Mid, Tail string }

func identOf(id string) ident {
	const head, tail = 8, 4
	if len(id) <= head+tail+4 {
		return ident{Full: id, Head: id}
	}
	return ident{id, id[:head], id[head : len(id)-tail], id[len(id)-tail:]}
}

// money writes a decimal amount with grouped digits, at least two of them after
// the point, and a real minus sign. What is no decimal is left as it is.
func money(amount string) string {
	digits, negative := strings.CutPrefix(amount, "-")
	whole, fraction, _ := strings.Cut(digits, ".")
	if whole == "" || !isDigits(whole) || !isDigits(fraction) {
		return amount
	}
	for len(fraction) < 2 {
		fraction += "0"
	}
	s := grouped(whole) + "." + fraction
	if negative {
		return "−" + s
	}
	return s
}

func isDigits(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < '0' || r > '9' })
}

// grouped writes 1612 as 1,612.
func grouped(digits string) string {
	for i := len(digits) - 3; i > 0; i -= 3 {
		digits = digits[:i] + "," + digits[i:]
	}
	return digits
}

func thousands(n int) string {
	if n < 0 {
		return "−" + grouped(strconv.Itoa(-n))
	}
	return grouped(strconv.Itoa(n))
}

func count(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return thousands(n) + " " + what
}

// groupedIBAN writes an IBAN in groups of four, as banks print it.
func groupedIBAN(iban string) string {
	var b strings.Builder
	for i, r := range []rune(iban) {
		if i > 0 && i%4 == 0 {
			b.WriteByte(' ')
		}
		b.WriteRune(r)
	}
	return b.String()
}
