package judge

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"
	"unicode/utf8"
)

// parseKcat reads one line of kcat's JSON output.
//
// kcat copies every byte from 0x80 up as it is, also where the record is not
// UTF-8 and the line therefore no JSON. The standard library takes such bytes
// inside strings, but replaces them when it decodes the strings; so those stay
// raw here and are decoded without loss.
func parseKcat(line []byte) (Record, error) {
	var j struct {
		Topic     string
		Partition int32
		Offset    int64
		TS        int64
		Headers   []json.RawMessage
		Key       json.RawMessage
		Payload   json.RawMessage
	}
	if err := json.Unmarshal(line, &j); err != nil {
		return Record{}, fmt.Errorf("read kcat's line of %d bytes: %w", len(line), err)
	}
	r := Record{Topic: j.Topic, Partition: j.Partition, Offset: j.Offset, Time: time.UnixMilli(j.TS)}
	var err error
	if r.Key, err = unquote(j.Key); err != nil {
		return Record{}, fmt.Errorf("read the key at offset %d of %s: %w", j.Offset, j.Topic, err)
	}
	if r.Value, err = unquote(j.Payload); err != nil {
		return Record{}, fmt.Errorf("read the value at offset %d of %s: %w", j.Offset, j.Topic, err)
	}
	if len(j.Headers)%2 != 0 {
		return Record{}, fmt.Errorf("read the headers at offset %d of %s: a name without value", j.Offset, j.Topic)
	}
	for i := 0; i < len(j.Headers); i += 2 {
		name, err := unquote(j.Headers[i])
		if err != nil {
			return Record{}, fmt.Errorf("read a header's name at offset %d of %s: %w", j.Offset, j.Topic, err)
		}
		value, err := unquote(j.Headers[i+1])
		if err != nil {
			return Record{}, fmt.Errorf("read header %s at offset %d of %s: %w", name, j.Offset, j.Topic, err)
		}
		r.Headers = append(r.Headers, Header{string(name), value})
	}
	return r, nil
}

// unquote decodes a JSON string that may hold bytes that are not UTF-8. JSON's
// null, and no value at all, is nil.
func unquote(s []byte) ([]byte, error) {
	if len(s) == 0 || string(s) == "null" {
		return nil, nil
	}
	if len(s) < 2 || s[0] != '"' || s[len(s)-1] != '"' {
		return nil, errors.New("not a string")
	}
	s = s[1 : len(s)-1]
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			out = append(out, s[i])
			continue
		}
		i++
		if i == len(s) {
			return nil, errors.New("a string ends in a backslash")
		}
		switch s[i] {
		case '"', '\\', '/':
			out = append(out, s[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			if i+4 >= len(s) {
				return nil, errors.New("a string ends in an escape")
			}
			r, err := strconv.ParseUint(string(s[i+1:i+5]), 16, 16)
			if err != nil {
				return nil, fmt.Errorf("escape: %w", err)
			}
			out = utf8.AppendRune(out, rune(r)) // kcat escapes control characters alone: no surrogates
			i += 4
		default:
			return nil, fmt.Errorf("unknown escape %q", s[i])
		}
	}
	return out, nil
}
