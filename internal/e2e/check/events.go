package check

import "slices"

// events checks what holds for every event alone, and the chain of causes.
func (c *checker) events(records Records) {
	types := make(map[string]string) // type by event id, of everything that can be a cause
	written := make(map[string]event)
	for _, topic := range Topics() {
		if topic == topicDeadLetters {
			continue // carry the headers of what they were
		}
		for _, r := range records[topic] {
			if wakes(r) {
				continue // no event: it stands for a timer
			}
			e := eventOf(r)
			types[e.ID] = e.Type
			if putBack(r) {
				continue // the same event once more; the dead letters tell
			}
			if topic == topicRequested {
				c.figures.Requests++
				continue // upstream writes what it likes
			}
			c.headers(e)
			c.belongs(e)
			if e.Type == "webform-completed" {
				c.figures.Hints++
				continue // the bridge writes at least once
			}
			if first, again := written[e.ID]; again {
				c.violate("event-id", "%v has the id of %v", e, first)
			}
			written[e.ID] = e
		}
	}
	for _, e := range written {
		switch kind, there := types[e.Cause]; {
		case e.Cause == "":
			c.violate("cause", "%v names no cause", e)
		case !there:
			c.violate("cause", "%v was caused by %s, which is nowhere", e, e.Cause)
		case !slices.Contains(readBy(e.Source), kind):
			c.violate("cause", "%v was caused by %s, which %s does not read", e, kind, e.Source)
		}
	}
}

func (c *checker) headers(e event) {
	if !slices.Contains(typesOn(e.Topic), e.Type) {
		c.violate("header", "%v has a type that does not belong on its topic", e)
	}
	for name, want := range map[string]string{
		"ce_specversion": "1.0",
		"content-type":   "application/json",
		"ce_type":        "bankimport." + e.Type + ".v1",
		"ce_source":      "/bankimport/" + e.Source,
	} {
		if got := e.Header(name); got != want {
			c.violate("header", "%v has %s %q, want %q", e, name, got, want)
		}
	}
	for _, name := range []string{"ce_id", "ce_time", "ce_source"} {
		if e.Header(name) == "" {
			c.violate("header", "%v has no %s", e, name)
		}
	}
}

// belongs checks whose event it is.
func (c *checker) belongs(e event) {
	body, ok := decode[struct {
		common
		AccountKey     string `json:"account_key"`
		TransactionKey string `json:"transaction_key"`
	}](c, e)
	if !ok {
		return
	}
	if got := e.Header("ce_subject"); got != body.ImportID {
		c.violate("header", "%v has ce_subject %q, want its import %q", e, got, body.ImportID)
	}
	want := body.ImportID
	switch e.Topic {
	case topicAccounts:
		want = body.AccountKey
	case topicTransactions:
		want = body.TransactionKey
	}
	if got := string(e.Key); got != want || want == "" {
		c.violate("key", "%v has key %q, want %q", e, got, want)
	}
	request, asked := c.truth.Requests[body.ImportID]
	if !asked {
		c.violate("origin", "%v belongs to import %q, which nobody asked for", e, body.ImportID)
		return
	}
	if body.UserID != "" && body.UserID != request.UserID {
		c.violate("origin", "%v names user %q, want %q", e, body.UserID, request.UserID)
	}
	if last := c.truth.runs(body.ImportID); body.Run < 1 || body.Run > last {
		c.violate("origin", "%v belongs to run %d, want 1 to %d", e, body.Run, last)
	}
}
