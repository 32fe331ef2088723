package judge

import "time"

// Record is one committed record as the judge read it.
type Record struct {
	Topic      string // without the prefix
	Partition  int32
	Offset     int64
	Key, Value []byte // nil: null
	Headers    []Header
	Time       time.Time
}

// Header is one header of a record.
type Header struct {
	Key   string
	Value []byte // nil: null
}

// Header returns the value of the header with this key, or "".
func (r Record) Header(key string) string {
	for _, h := range r.Headers {
		if h.Key == key {
			return string(h.Value)
		}
	}
	return ""
}
