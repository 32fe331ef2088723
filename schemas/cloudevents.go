package schemas

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/go-json-experiment/json"
)

// Header is one header of a Kafka record.
type Header struct {
	Key   string
	Value []byte
}

// Names of the headers: CloudEvents 1.0 in binary mode and W3C Trace Context.
const (
	HeaderSpecVersion = "ce_specversion"
	HeaderID          = "ce_id"
	HeaderType        = "ce_type"
	HeaderSource      = "ce_source"
	HeaderTime        = "ce_time"
	HeaderSubject     = "ce_subject"
	HeaderCausationID = "ce_causationid"
	HeaderContentType = "content-type"
	HeaderTraceparent = "traceparent"
)

const (
	specVersion   = "1.0"
	contentType   = "application/json"
	sourcePrefix  = "/bankimport/"
	ceTypePrefix  = "bankimport."
	ceTypeVersion = ".v1"
)

// Meta is what the headers say beyond the event itself.
type Meta struct {
	// Source is who publishes: the name of a stage, "bridge", or a command.
	Source string
	// Time is when the event happened.
	Time time.Time
	// CauseID is the id of the event that caused this one; empty for none.
	CauseID string
	// Traceparent is the W3C trace context; empty for none.
	Traceparent string
}

// Encode returns the value and the headers of the record that carries e. An
// error means that e cannot be published as it is (a required instant is not
// set, a text is not UTF-8) or that m lacks source or time. It names the field
// and never quotes what is in it.
func Encode(e Event, m Meta) (value []byte, headers []Header, err error) {
	if m.Source == "" || m.Time.IsZero() {
		return nil, nil, fmt.Errorf("encode %s: source and time are required", e.Type())
	}
	value, err = json.Marshal(e)
	if err != nil {
		return nil, nil, fmt.Errorf("encode %s: %w", e.Type(), encodeError(err))
	}
	return value, headersOf(e, m), nil
}

func headersOf(e Event, m Meta) []Header {
	headers := make([]Header, 0, 9)
	add := func(key, value string) {
		if value != "" {
			headers = append(headers, Header{Key: key, Value: []byte(value)})
		}
	}
	add(HeaderSpecVersion, specVersion)
	add(HeaderID, e.ID())
	add(HeaderType, CloudEventType(e.Type()))
	add(HeaderSource, sourcePrefix+m.Source)
	add(HeaderTime, At(m.Time).String())
	add(HeaderSubject, e.Subject())
	add(HeaderCausationID, m.CauseID)
	add(HeaderContentType, contentType)
	add(HeaderTraceparent, m.Traceparent)
	return headers
}

// encodeError drops all but the place and the kind of a marshalling error: its
// text may quote what stood there.
func encodeError(err error) error {
	if e, ok := errors.AsType[*json.SemanticError](err); ok {
		return fmt.Errorf("field %s cannot be written", e.JSONPointer)
	}
	return errors.New("a text is not valid UTF-8")
}

// CloudEventType returns the ce_type of an event, like
// "bankimport.import-requested.v1" for "import-requested".
func CloudEventType(eventType string) string { return ceTypePrefix + eventType + ceTypeVersion }

// TypeOf returns which event a record is, given its ce_type header ("" where
// it has none) and its topic without prefix. A record without ce_type on
// import-requested is an import-requested; upstream may leave the headers out.
// It reports false for a type that is not known or does not belong on that
// topic.
func TypeOf(ceType, topic string) (eventType string, ok bool) {
	if ceType == "" && topic == TopicImportRequested {
		return TypeImportRequested, true
	}
	name, found := strings.CutPrefix(ceType, ceTypePrefix)
	name, versioned := strings.CutSuffix(name, ceTypeVersion)
	if !found || !versioned {
		return "", false
	}
	known := slices.ContainsFunc(Events(), func(e Event) bool { return e.Type() == name && e.Topic() == topic })
	if !known {
		return "", false
	}
	return name, true
}
