package bankdata

import (
	"fmt"
	"strings"
	"time"
)

// Row is one booking as the provider knows it. Texts are empty where the bank
// delivered none.
type Row struct {
	Booked, Valued time.Time // days
	Amount         Cents
	Currency       string // empty: the account's

	Purpose, Type    string
	ZKA, SWIFT       string
	SEPAPurpose      string
	Code             string // ISO 20022 bank transaction code
	CodeGerman       string
	CodeEnglish      string
	Primanota        string
	EndToEnd         string
	Category         *Category // nil: none
	Counterpart      Counterpart
	Original, Fee    Cents // in foreign currency; what the bank took for that
	OriginalCurrency string
	FeeCurrency      string
}

// Counterpart is the other side of a row.
type Counterpart struct {
	Name, IBAN, Number, BLZ, BIC, BankName  string
	Mandate, Creditor, Debitor, CustomerRef string
}

// Row renders row i for a download on the given day. The day's location is that
// of the dates.
func (l *Ledger) Row(i int, today time.Time) Row {
	e := l.entries.at(i)
	t := l.words.templates[e.template]
	b := l.words.bookings[t.booking]
	c := chanceOf(l.seed, uint64(i), 1)

	today = midnight(today)
	booked := workday(today.AddDate(0, 0, -int(e.age)), today)
	ref := fmt.Sprint(c.between(10_000_000, 99_999_999))
	r := Row{
		Booked: booked, Valued: booked, Amount: e.cents, Currency: "EUR",
		Purpose: t.text(booked, monthOf(e.age, today), ref),
		Type:    b.text, ZKA: b.zka, SWIFT: b.swift, SEPAPurpose: b.purpose,
		Code: b.code, CodeGerman: b.german, CodeEnglish: b.english,
	}
	if c.below(5) == 0 {
		r.Currency = ""
	}
	if c.below(4) == 0 {
		r.Valued = booked.AddDate(0, 0, c.between(-1, 1))
	}
	if b.zka != "" {
		r.Primanota = fmt.Sprintf("%04d", c.between(800, 9999))
	}
	if !e.bare && t.category != catNone {
		r.Category = &l.words.categories[t.category]
	}
	if !b.viaBank && t.booking != cardPayment {
		r.Counterpart = t.counterpart(b, &c, ref)
		r.EndToEnd = endToEnd(&c, ref)
	} else {
		r.Counterpart.Name = t.name
	}
	if t.foreign != "" {
		r.Original, r.OriginalCurrency = e.cents*100/Cents(c.between(84, 118)), t.foreign
		r.Fee, r.FeeCurrency = min(e.cents*175/10_000, -1), "EUR"
	}
	return r
}

// endToEnd is what the sender wrote, or that he wrote nothing.
func endToEnd(c *chance, ref string) string {
	if c.below(3) == 0 {
		return "NOTPROVIDED"
	}
	return "E2E-" + ref
}

// counterpart gives the other side: the same name always has the same account.
func (t template) counterpart(b booking, c *chance, ref string) Counterpart {
	own := chanceOf(hash(t.name))
	blz := fmt.Sprintf("9%07d", own.below(10_000_000))
	number := fmt.Sprint(own.between(1_000_000, 9_999_999_999))
	p := Counterpart{
		Name: t.name, IBAN: germanIBAN(blz, number), Number: number, BLZ: blz,
		BIC: "DEMODEB0XXX", BankName: "Musterbank",
	}
	if b.directDebit {
		p.Mandate = fmt.Sprintf("M-%d", own.between(100_000, 999_999))
		p.Creditor = fmt.Sprintf("DE%02dZZZ%011d", own.between(10, 97), own.between(1, 99_999_999))
		p.CustomerRef = ref
	} else if c.below(8) == 0 {
		p.Debitor = "KD" + ref
	}
	return p
}

func (t template) text(booked, month time.Time, ref string) string {
	return strings.NewReplacer(
		"{month}", germanMonth(month.Month()),
		"{year}", month.Format("2006"),
		"{date}", booked.Format("02.01."),
		"{ref}", ref,
	).Replace(t.purpose)
}

func germanMonth(m time.Month) string {
	return [...]string{"JANUAR", "FEBRUAR", "MAERZ", "APRIL", "MAI", "JUNI", "JULI", "AUGUST", "SEPTEMBER", "OKTOBER", "NOVEMBER", "DEZEMBER"}[m-1]
}

// monthOf is the month that a booking is for. Months of the window are all equally
// long, so that each has its rent once; calendar months are not.
func monthOf(age int32, today time.Time) time.Time {
	first := time.Date(today.Year(), today.Month(), 1, 0, 0, 0, 0, today.Location())
	return first.AddDate(0, -int(age)*Months/Days, 0)
}

// workday is the day itself or the Monday after it, but not after today: a bank
// does not book ahead.
func workday(day, today time.Time) time.Time {
	switch day.Weekday() {
	case time.Saturday:
		day = day.AddDate(0, 0, 2)
	case time.Sunday:
		day = day.AddDate(0, 0, 1)
	}
	if day.After(today) {
		return today
	}
	return day
}

func midnight(t time.Time) time.Time {
	return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, t.Location())
}

// hash is FNV-1a.
func hash(s string) uint64 {
	h := uint64(14695981039346656037)
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * 1099511628211
	}
	return h
}
