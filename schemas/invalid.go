package schemas

import "strings"

// Problem is one broken rule.
type Problem struct {
	// Field is where, like "user_id" or "accounts/0/loaded"; empty means the
	// record as a whole.
	Field string
	// Rule is what was expected. It never contains what was there.
	Rule string
}

func (p Problem) String() string {
	if p.Field == "" {
		return p.Rule
	}
	return p.Field + ": " + p.Rule
}

// InvalidError lists all that is wrong with the value of a record. Its text
// names fields and rules and never contains values, so it may be logged and
// published.
type InvalidError struct {
	Event    string // name of the event
	Problems []Problem
}

// Error returns all problems in one line.
func (e *InvalidError) Error() string {
	texts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		texts[i] = p.String()
	}
	return e.Event + ": " + strings.Join(texts, "; ")
}

// invalid returns the error for these problems, nil for none.
func invalid(event string, problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	return &InvalidError{Event: event, Problems: problems}
}

// wholeRecord is the error for one problem that has no field.
func wholeRecord(event, rule string) error {
	return &InvalidError{Event: event, Problems: []Problem{{Rule: rule}}}
}
