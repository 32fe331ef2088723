package check

import "github.com/bankimport/bankimport/internal/e2e/judge"

// published checks the forms that upstream was told of.
func (c *checker) published(records Records) {
	for _, r := range records[topicCreated] {
		e := eventOf(r)
		body, ok := decode[webformCreated](c, e)
		if !ok {
			continue
		}
		if first, again := c.forms[body.run()]; again {
			c.violate("form", "%v has form %s after form %s", body.run(), body.FormID, first)
			continue
		}
		c.forms[body.run()] = body.FormID
		c.figures.Forms++
		form, made := c.truth.Forms[body.FormID]
		if !made {
			c.violate("form", "%v names form %s, which the provider did not make", body.run(), body.FormID)
		} else if want := c.truth.Requests[body.ImportID].ProviderUser; form.ProviderUser != want {
			c.violate("form", "%v has a form of user %q, want %q", body.run(), form.ProviderUser, want)
		}
	}
	if made, most := len(c.truth.Forms), len(c.forms)+c.truth.Orphans; made > most {
		c.violate("form", "the provider made %d forms, want at most %d", made, most)
	}
}

// statuses checks the way of each import. What the last one says is compared
// with the final event later.
func (c *checker) statuses(records []judge.Record) {
	last := make(map[run]importStatus)
	for _, r := range records {
		e := eventOf(r)
		body, ok := decode[importStatus](c, e)
		if !ok {
			continue
		}
		c.figures.Statuses++
		before := last[body.run()]
		switch {
		case body.StepNo < before.StepNo:
			c.violate("status", "%v goes back from step %d to step %d", body.run(), before.StepNo, body.StepNo)
		case before.StepNo == stepEnded:
			c.violate("status", "%v has a status after its end", body.run())
		}
		last[body.run()] = body
	}
	for r, s := range last {
		switch s.Step {
		case "completed":
			c.final[r] = "completed"
		case "failed":
			c.final[r] = s.Reason
		default:
			c.violate("status", "%v stays at step %s", r, s.Step)
		}
	}
	for id := range c.truth.Requests {
		for _, r := range (run{id, c.truth.runs(id)}).before() {
			if _, ok := last[r]; !ok {
				c.violate("status", "%v has no status", r)
			}
		}
	}
}

const stepEnded = 6

// finals checks that each run has one final event, that it agrees with the last
// status and that it says what happened.
func (c *checker) finals(records Records) {
	ends := make(map[run][]string)
	for _, r := range records[topicCompleted] {
		if body, ok := decode[importCompleted](c, eventOf(r)); ok {
			ends[body.run()] = append(ends[body.run()], "completed")
			c.done[body.run()] = body
			c.figures.Completed++
		}
	}
	for _, r := range records[topicFailed] {
		if body, ok := decode[importFailed](c, eventOf(r)); ok {
			ends[body.run()] = append(ends[body.run()], body.Reason)
			count(&c.figures.Failed, body.Reason)
		}
	}
	for id, request := range c.truth.Requests {
		for _, r := range (run{id, c.truth.runs(id)}).before() {
			c.end(r, ends[r], c.wantEnd(r, request))
		}
	}
}

func (c *checker) end(r run, ends []string, want string) {
	if len(ends) != 1 {
		c.violate("final", "%v has %d final events %q, want 1", r, len(ends), ends)
		return
	}
	if ends[0] != c.final[r] {
		c.violate("status", "%v ended as %q, its last status says %q", r, ends[0], c.final[r])
	}
	if ends[0] != want {
		c.violate("final", "%v ended as %q, want %q", r, ends[0], want)
	}
}

// wantEnd is how a run has to end.
func (c *checker) wantEnd(r run, request Request) string {
	if r.No < c.truth.runs(r.ImportID) {
		return "gave_up" // else there were no further run
	}
	if reason := c.outcome(r, request).reason; reason != "" {
		return reason
	}
	return "completed"
}

// outcome is how a run must end, if it is the last one.
func (c *checker) outcome(r run, request Request) outcome {
	if form, made := c.truth.Forms[c.formOf(r)]; made {
		return c.truth.outcomeOfRequest(request, &form)
	}
	return c.truth.outcomeOfRequest(request, nil)
}

// deadLetters checks that nothing else was given up than what had to be.
func (c *checker) deadLetters(records []judge.Record) {
	for _, r := range records {
		count(&c.figures.DeadLetters, r.Header("dead_letter_class"))
	}
	for class, got := range c.figures.DeadLetters {
		if want := c.truth.DeadLetters[class]; got > want {
			c.violate("dead-letter", "got %d of class %s, want %d", got, class, want)
		}
	}
	for class, want := range c.truth.DeadLetters {
		if got := c.figures.DeadLetters[class]; got < want {
			c.violate("dead-letter", "got %d of class %s, want %d", got, class, want)
		}
	}
}

func count(m *map[string]int, key string) {
	if *m == nil {
		*m = make(map[string]int)
	}
	(*m)[key]++
}
