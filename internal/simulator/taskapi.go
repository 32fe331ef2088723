package simulator

import (
	"net/http"
	"slices"
	"time"

	"github.com/bankimport/bankimport/internal/finapi/api"
)

const bankConnectionUpdate = "BANK_CONNECTION_UPDATE" // the type of all tasks, and of their forms

// createTask is POST /api/tasks/backgroundUpdate.
func (s *Simulator) createTask(c *call) (int, any, *refusal) {
	body, no := c.body("application/json")
	if no != nil {
		return 0, nil, no
	}
	request, no := parseUpdate(body)
	if no != nil {
		return 0, nil, no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if no := s.permits(request.form); no != nil {
		return 0, nil, no
	}
	conn := s.connections[request.connection]
	if conn == nil || conn.user != c.user() {
		return 0, nil, unknownEntity()
	}
	if allowed := request.form.AllowedInterfaces; allowed != nil && !slices.Contains(allowed, api.BankingInterface(conn.via)) {
		return 0, nil, refuse(http.StatusNotImplemented, "NOT_SUPPORTED", "", "The simulator connects no other interface of a bank than the first.")
	}
	if conn.updating(c.now) || s.taskRuns(conn) {
		return 0, nil, locked()
	}
	if s.open+len(s.running) >= s.config.MaxForms {
		return 0, nil, full("MaxForms")
	}
	return http.StatusCreated, s.writtenTask(s.newTask(conn, c.token, request, c.now), c.now), nil
}

// parseUpdate checks the request by the letter of the contract. The mode is
// required there although a client has been seen without it.
func parseUpdate(body []byte) (updateRequest, *refusal) {
	invalid := func(fields ...api.FormInvalidField) (updateRequest, *refusal) {
		return updateRequest{}, &refusal{status: http.StatusBadRequest, code: "BAD_REQUEST", fields: fields}
	}
	in, err := parseObject(body)
	if err != nil {
		return invalid(api.FormInvalidField{Field: "request", Message: err.Error()})
	}
	r := updateRequest{connection: in.integer("bankConnectionId", 1, 1<<62)}
	in.require("bankConnectionId", "importNewAccountsMode")
	in.flag("importNewAccounts") // the mode has replaced it
	r.newAccounts = in.word("importNewAccountsMode", "SKIP", "CONDITIONAL", "FORCED") != "SKIP"
	r.managesSettings = len(in.set("manageSavedSettings", "CREDENTIALS", "DEFAULT_TWO_STEP_PROCEDURE")) > 0
	callbacks := in.object("callbacks")
	r.finalised, r.webFormRequired = callbacks.url("finalised", 0), callbacks.url("webFormRequired", 0)
	in.download(&r.form)
	metadata := in.object("userMetadata") // for the bank, whose limits are not simulated
	metadata.text("ipAddress", 0, 64)
	metadata.text("deviceOs", 0, 1024)
	metadata.text("userAgent", 0, 1024)
	if in.has("userMetadata") {
		metadata.require("ipAddress", "deviceOs", "userAgent")
	}
	if fields := in.finish(); len(fields) > 0 {
		return invalid(fields...)
	}
	return r, nil
}

// getTask is GET /api/tasks/{id}.
func (s *Simulator) getTask(c *call) (int, any, *refusal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := s.tasks[c.r.PathValue("id")]
	if t == nil || t.user != c.user() {
		return 0, nil, unknownEntity()
	}
	return http.StatusOK, s.writtenTask(t, c.now), nil
}

// listTasks is GET /api/tasks.
func (s *Simulator) listTasks(c *call) (int, any, *refusal) {
	q := c.query()
	newestFirst, part := q.newestFirst(), q.page()
	if q.no != nil {
		return 0, nil, q.no
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return listItems(c.user().tasks, newestFirst, part, func(t *task) writtenTask { return s.writtenTask(t, c.now) })
}

// writtenTask is a task as Web Form shows it.
type writtenTask struct {
	ID        string          `json:"id"`
	CreatedAt api.FormInstant `json:"createdAt"`
	Type      string          `json:"type"`
	Status    taskStatus      `json:"status"`
	Payload   taskPayload     `json:"payload"`
}

type taskPayload struct {
	BankConnectionID int64        `json:"bankConnectionId"`
	WebForm          *webFormInfo `json:"webForm"`
	ErrorCode        *string      `json:"errorCode"`
	ErrorMessage     *string      `json:"errorMessage"`
}

// writtenTask shows a task and how its form stands now. The caller holds the mutex.
func (s *Simulator) writtenTask(t *task, now time.Time) writtenTask {
	w := writtenTask{
		ID: t.id, CreatedAt: formTime(t.created), Type: bankConnectionUpdate, Status: t.statusAt(now),
		Payload: taskPayload{BankConnectionID: t.connection},
	}
	if t.form != nil {
		s.formNow(t.form.id, now)
		w.Payload.WebForm = s.infoOf(t.form)
	}
	if t.code != "" {
		message := errorMessage(t.code)
		w.Payload.ErrorCode, w.Payload.ErrorMessage = &t.code, &message
	}
	return w
}
