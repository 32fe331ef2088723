package simulator

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Fault is something that the simulator does wrong while it is switched on: by
// [Config.Faults], by [Simulator.SetFault], by POST /faults or on the front page.
// [FaultKinds] lists what there is.
//
// What a fault does to forms, connections and rows sticks to those that were made
// or ended while it was on.
type Fault struct {
	Name  string
	Scope Scope // what it hits; the zero Scope: everything

	// For all of these 0 means the fault's own value, which FaultKinds tells.
	Count     int           // hits after which it switches itself off; negative: never
	After     int           // lets so many pass first; negative: none
	Share     float64       // of what it could hit, spread evenly; 0 and 1: all
	Delay     time.Duration // how late or for how long
	N         int           // how many
	Code      string        // an error code, a status or a currency
	Operation string        // the one call that it hits, e.g. list-transactions
}

// Scope is whom a fault hits. Both fields together mean that user at that bank.
type Scope struct {
	User string // the provider's id of the user, whatever its case; "": all
	Bank int64  // 0: all. A fault with a bank does not hit calls that concern no bank
}

const (
	maxFaultCount = 1_000_000_000
	maxFaultDelay = 10 * 365 * 24 * time.Hour
)

// ParseFault reads a fault as [Fault.String] writes it:
//
//	NAME[:KEY=VALUE,…][@user=USER][@bank=ID]
//
// The keys are count, after, share, delay, n, code and op; 0 as count means no
// end, as after none. Examples: callback-lost, status-503:count=3,op=get-form,
// form-error:code=INTERRUPTED@bank=280001.
func ParseFault(s string) (Fault, error) {
	spec, scopes, scoped := strings.Cut(s, "@")
	f := Fault{}
	name, params, parametrised := strings.Cut(spec, ":")
	f.Name = strings.TrimSpace(name)
	var problems []error
	if parametrised {
		for part := range strings.SplitSeq(params, ",") {
			problems = append(problems, f.parseParameter(part))
		}
	}
	if scoped {
		// Not split at every @: the id of a user may have one.
		starts := regexp.MustCompile(`@\s*(user|bank)=`).FindAllStringIndex("@"+scopes, -1)
		if len(starts) == 0 || starts[0][0] != 0 {
			problems = append(problems, f.Scope.parse(scopes))
		}
		for i, at := range starts {
			end := len(scopes)
			if i+1 < len(starts) {
				end = starts[i+1][0] - 1
			}
			problems = append(problems, f.Scope.parse(scopes[at[0]:end]))
		}
	}
	if err := errors.Join(problems...); err != nil {
		return Fault{}, fmt.Errorf("fault %q: %w", s, err)
	}
	return f, f.Validate()
}

func (f *Fault) parseParameter(s string) (err error) {
	wants := map[string]string{
		"count": "a whole number, 0 for no end", "after": "a whole number", "n": "a whole number above 0",
		"share": "a number above 0, 1 at most", "delay": "a duration above 0, like 5s or 3m",
	}
	wrong := errors.New("out of range")
	key, value, _ := strings.Cut(strings.TrimSpace(s), "=")
	switch key {
	case "count":
		f.Count, err = orNone(value)
	case "after":
		f.After, err = orNone(value)
	case "n":
		if f.N, err = strconv.Atoi(value); err == nil && f.N < 1 {
			err = wrong
		}
	case "share":
		if f.Share, err = strconv.ParseFloat(value, 64); err == nil && !(f.Share > 0 && f.Share <= 1) {
			err = wrong
		}
	case "delay":
		if f.Delay, err = time.ParseDuration(value); err == nil && f.Delay <= 0 {
			err = wrong
		}
	case "code":
		f.Code = value
	case "op":
		f.Operation = value
	default:
		return fmt.Errorf("%q: there are count, after, share, delay, n, code and op, each as key=value", key)
	}
	if err != nil {
		return fmt.Errorf("%s=%s: want %s", key, value, wants[key])
	}
	return nil
}

// orNone turns 0, which means the fault's own value in a [Fault], into what means
// none there.
func orNone(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err == nil && n < 0 {
		err = errors.New("negative")
	}
	if n == 0 {
		n = -1
	}
	return n, err
}

func (s *Scope) parse(text string) error {
	key, value, _ := strings.Cut(strings.TrimSpace(text), "=")
	switch key {
	case "user":
		if s.User = value; value != "" {
			return nil
		}
	case "bank":
		var err error
		if s.Bank, err = strconv.ParseInt(value, 10, 64); err == nil && s.Bank > 0 {
			return nil
		}
	}
	return fmt.Errorf("scope %q: want @user=USER or @bank=ID", text)
}

// String writes the fault as [ParseFault] reads it.
func (f Fault) String() string {
	var params []string
	add := func(there bool, key, value string) {
		if there {
			params = append(params, key+"="+value)
		}
	}
	add(f.Count != 0, "count", strconv.Itoa(max(f.Count, 0)))
	add(f.After != 0, "after", strconv.Itoa(max(f.After, 0)))
	add(f.Share != 0, "share", strconv.FormatFloat(f.Share, 'g', -1, 64))
	add(f.Delay != 0, "delay", shortDuration(f.Delay))
	add(f.N != 0, "n", strconv.Itoa(f.N))
	add(f.Code != "", "code", f.Code)
	add(f.Operation != "", "op", f.Operation)
	s := f.Name
	if len(params) > 0 {
		s += ":" + strings.Join(params, ",")
	}
	return s + f.Scope.String()
}

// String is "" for everything, or @user=… and @bank=….
func (s Scope) String() string {
	text := ""
	if s.User != "" {
		text += "@user=" + s.User
	}
	if s.Bank != 0 {
		text += "@bank=" + strconv.FormatInt(s.Bank, 10)
	}
	return text
}

// shortDuration is 5m instead of 5m0s.
func shortDuration(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Validate says everything that is wrong with a fault.
func (f Fault) Validate() error {
	k := kindOf(f.Name)
	if k == nil {
		return fmt.Errorf("fault %q is not known%s", f.Name, nearest(f.Name))
	}
	var problems []error
	complain := func(format string, args ...any) {
		problems = append(problems, fmt.Errorf("fault "+f.Name+": "+format, args...))
	}
	if f.Count > maxFaultCount || f.After > maxFaultCount {
		complain("count and after: %d at most", maxFaultCount)
	}
	if !(f.Share >= 0 && f.Share <= 1) {
		complain("share %g: want more than 0, up to 1", f.Share)
	}
	if f.Delay < 0 || f.Delay > maxFaultDelay {
		complain("delay %s: want 0 to %s", f.Delay, maxFaultDelay)
	}
	if f.Delay != 0 && k.standard.Delay == 0 {
		complain("it has no delay")
	}
	if f.N != 0 && k.standard.N == 0 {
		complain("it has no n")
	}
	if f.N < 0 || f.N > max(k.mostN, k.standard.N) {
		complain("n %d: want 1 to %d", f.N, max(k.mostN, k.standard.N))
	}
	if f.Code != "" && k.standard.Code == "" {
		complain("it has no code")
	}
	if f.Code != "" && !regexp.MustCompile(`^[A-Z][A-Z_]{0,63}$`).MatchString(f.Code) {
		complain("code %q: want capital letters and _", f.Code)
	}
	if f.Operation != "" && !slices.Contains(k.operations(), f.Operation) {
		complain("op %q: want %s", f.Operation, orList(k.operations()))
	}
	if f.Scope.Bank < 0 {
		complain("bank %d: want the id of a bank", f.Scope.Bank)
	}
	return errors.Join(problems...)
}

func orList(words []string) string {
	if len(words) == 0 {
		return "none: it does not hit single calls"
	}
	return strings.Join(words, " or ")
}

// nearest suggests the name that was probably meant.
func nearest(name string) string {
	best, least := "", len(name)/3+2 // the first distance that is too far
	for _, k := range faultKinds() {
		if d := distance(name, k.name); d < least {
			best, least = k.name, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
}

// distance is the number of bytes to insert, delete or replace to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			diagonal, row[j+1] = row[j+1], min(row[j+1]+1, row[j]+1, diagonal+cost)
		}
	}
	return row[len(b)]
}

// filled is the fault with its kind's own values where it has none.
func (f Fault) filled(standard Fault) Fault {
	orElse(&f.Count, standard.Count)
	orElse(&f.After, standard.After)
	orElse(&f.Delay, standard.Delay)
	orElse(&f.N, standard.N)
	orElse(&f.Code, standard.Code)
	orElse(&f.Operation, standard.Operation)
	return f
}
