package api

// The Unread types are those of fields that the client does not use. They are
// written as they are, for the simulator's sake, and skipped when read: an answer
// must not be lost for what nobody asked for. To use such a field, give it a
// proper type in finapi.yaml.
type (
	UnreadText    string
	UnreadFlag    bool
	UnreadInt     int64
	UnreadInts    []int64
	UnreadTexts   []string
	UnreadLabels  []Label
	UnreadObject  map[string]any
	UnreadObjects []map[string]any
	UnreadNumber  struct{ Number }
	UnreadTime    struct{ Time }
)

func (*UnreadText) UnmarshalJSON([]byte) error    { return nil }
func (*UnreadFlag) UnmarshalJSON([]byte) error    { return nil }
func (*UnreadInt) UnmarshalJSON([]byte) error     { return nil }
func (*UnreadInts) UnmarshalJSON([]byte) error    { return nil }
func (*UnreadTexts) UnmarshalJSON([]byte) error   { return nil }
func (*UnreadLabels) UnmarshalJSON([]byte) error  { return nil }
func (*UnreadObject) UnmarshalJSON([]byte) error  { return nil }
func (*UnreadObjects) UnmarshalJSON([]byte) error { return nil }
func (*UnreadNumber) UnmarshalJSON([]byte) error  { return nil }
func (*UnreadTime) UnmarshalJSON([]byte) error    { return nil }

// UnmarshalJSON skips it: the result of an update says nothing about accounts.
func (*UpdateResult) UnmarshalJSON([]byte) error { return nil }

// UnmarshalJSON takes what is no text for none: the client only writes it.
func (i *BankingInterface) UnmarshalJSON(b []byte) error {
	s, err := text(b)
	if err != nil {
		s = ""
	}
	*i = BankingInterface(s)
	return nil
}
