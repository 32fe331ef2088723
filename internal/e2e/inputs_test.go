package e2e_test

import (
	"bytes"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"

	"github.com/bankimport/bankimport/internal/callback"
	"github.com/bankimport/bankimport/internal/e2e/check"
	"github.com/bankimport/bankimport/internal/simulator"
)

// badRequest is something that upstream should not publish, and what must
// become of it: an import that fails as invalid_request, or a dead letter.
type badRequest struct {
	name    string
	message kafka.Message
	refused string // import id of the failure
	class   string // of the dead letter
}

func badRequests(t *testing.T, rng *rand.Rand) []badRequest {
	t.Helper()
	id := make(map[string]string) // import id by name
	for _, name := range []string{"no user", "unknown account type", "unknown field", "connection"} {
		id[name] = newID(rng)
	}
	refused := func(name string, body map[string]any) badRequest {
		body["import_id"] = id[name]
		return badRequest{name: name, message: request(t, id[name], body), refused: id[name]}
	}
	dead := func(name, class string, m kafka.Message) badRequest {
		return badRequest{name: name, message: m, class: class}
	}
	garbage := make([]byte, 1_000_000)
	for i := range garbage {
		garbage[i] = byte(rng.Uint32())
	}
	return []badRequest{
		refused("no user", map[string]any{"bank_id": testBank}),
		refused("unknown account type", map[string]any{"user_id": "u", "account_types": []string{"piggybank"}}),
		refused("unknown field", map[string]any{"user_id": "u", "account_type": "checking"}),
		refused("connection", map[string]any{"user_id": "u", "bank_connection_id": 7, "bank_id": testBank}),
		dead("no import id", "invalid_event", request(t, newID(rng), map[string]any{"user_id": "u"})),
		dead("id is not the key", "invalid_event", request(t, newID(rng), map[string]any{"import_id": newID(rng), "user_id": "u"})),
		dead("not JSON", "invalid_event", kafka.Message{Key: []byte(newID(rng)), Value: []byte("please import my bank")}),
		dead("1,000,000 bytes of garbage", "invalid_event", kafka.Message{Key: []byte(newID(rng)), Value: garbage}),
		dead("no key", "invalid_event", kafka.Message{Value: []byte(`{"import_id":"` + newID(rng) + `","user_id":"u"}`)}),
		dead("no value", "invalid_event", kafka.Message{Key: []byte(newID(rng))}),
	}
}

// Bad input on the topic and at the bridge gets its answer, and the imports
// beside it arrive as if nothing had been.
func TestBadInput(t *testing.T) {
	rng := seeded(t)
	p := newPlan(rng, 6)
	bad := badRequests(t, rng)
	w := newWorld(t, 4*time.Minute, pace{formLife: 2 * time.Minute, callbacks: simulator.DeliverCallbacks}, p.banks)
	w.expireUnopened(p.imports, 5*time.Second)
	stop := w.startInProcess()
	users := w.startUsers(p.imports, nil)
	up := newUpstream(t, w.cluster.Brokers, prefix)
	again := p.imports[0] // its id comes back with other content
	ids := p.ids()
	classes := map[string]int{"conflicting_request": 1}
	up.publish(w.ctx, w.requests(p.imports)...)
	for _, b := range bad {
		up.publish(w.ctx, b.message)
		if b.refused != "" {
			ids = append(ids, b.refused)
		} else {
			classes[b.class]++
		}
	}
	up.publish(w.ctx, request(t, again.importID, map[string]any{"import_id": again.importID, "user_id": "somebody else"}))
	up.publish(w.ctx, cancelOf(t, newID(rng))) // of an import that never comes: nothing

	w.badCallbacks(p.imports[1].importID)
	w.awaitEnds(ids...)
	users()
	w.awaitConsumed()
	stop()

	truth := w.truth(p.imports)
	for _, b := range bad {
		if b.refused != "" {
			user := ""
			if b.name != "no user" {
				user = "u"
			}
			truth.Requests[b.refused] = check.Request{UserID: user, Refused: "invalid_request"}
		}
	}
	truth.DeadLetters = classes
	records := w.settle()
	figures := w.verdict(records, truth)
	for _, b := range bad {
		if b.class != "" {
			w.wantDeadLetter(records, b)
		}
	}
	t.Log(figures)
}

// cancelOf makes the message that cancels an import.
func cancelOf(t *testing.T, importID string) kafka.Message {
	t.Helper()
	m := withHeaders(request(t, importID, map[string]any{"import_id": importID}))
	for i, h := range m.Headers {
		if h.Key == "ce_type" {
			m.Headers[i].Value = []byte("bankimport.import-cancel-requested.v1")
		}
	}
	return m
}

// wantDeadLetter checks that what was given up is there in full.
func (w *world) wantDeadLetter(records check.Records, b badRequest) {
	w.Helper()
	for _, r := range records["dead-letters"] {
		if bytes.Equal(r.Value, b.message.Value) && r.Header("dead_letter_class") == b.class &&
			r.Header("dead_letter_topic") == prefix+"import-requested" && r.Header("dead_letter_error") != "" {
			return
		}
	}
	w.Errorf("%s: no dead letter of class %s has its value", b.name, b.class)
}

// badCallbacks sends the bridge what it must refuse, and what it must take
// although it says nothing.
func (w *world) badCallbacks(importID string) {
	w.Helper()
	client := &http.Client{Transport: &http.Transport{
		TLSClientConfig: w.trust(), DisableKeepAlives: true,
	}}
	seal := func(keys string, life time.Duration) string {
		token, err := w.sealer(keys).Seal(callback.Token{ImportID: importID, Run: 1, Expires: time.Now().Add(life)})
		if err != nil {
			w.Fatal(err)
		}
		return "/callbacks/finapi/" + token
	}
	ours, expired, foreign := seal(w.callbackKeys, time.Hour), seal(w.callbackKeys, -time.Second), seal(callback.GenerateKey("k1"), time.Hour)
	for _, tc := range []struct {
		name, method, path, body string
		want                     int
	}{
		{"no token", http.MethodPost, "/callbacks/finapi/", `{}`, http.StatusNotFound},
		{"forged token", http.MethodPost, "/callbacks/finapi/" + strings.Repeat("A", callback.TokenSize), `{}`, http.StatusNotFound},
		{"changed token", http.MethodPost, ours[:len(ours)-4] + "AAAA", `{}`, http.StatusNotFound},
		{"foreign token", http.MethodPost, foreign, `{}`, http.StatusNotFound},
		{"expired token", http.MethodPost, expired, `{}`, http.StatusNotFound},
		{"wrong method", http.MethodGet, ours, "", http.StatusMethodNotAllowed},
		{"other path", http.MethodPost, "/", `{}`, http.StatusNotFound},
		{"too large", http.MethodPost, ours, strings.Repeat("x", 100_000), http.StatusRequestEntityTooLarge},
		{"not JSON: still a hint", http.MethodPost, ours, "<html>", http.StatusOK},
		{"another form: still a hint", http.MethodPost, ours, `{"webFormId":"00000000-0000-4000-8000-000000000000","status":"COMPLETED"}`, http.StatusOK},
	} {
		req, err := http.NewRequestWithContext(w.ctx, tc.method, "https://"+w.bridgeAddr+tc.path, strings.NewReader(tc.body))
		if err != nil {
			w.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			w.Errorf("callback, %s: %v", tc.name, err)
			continue
		}
		answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
		resp.Body.Close()
		if err != nil || resp.StatusCode != tc.want {
			w.Errorf("callback, %s: got %s %q %v, want %d", tc.name, resp.Status, answer, err, tc.want)
		}
	}
}
