package simulator_test

import (
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/simulator"
)

func taskFaultTests() map[string]func(*testing.T) {
	ends := func(fault, status, code, connection string) func(*testing.T) {
		return func(t *testing.T) {
			a, token, id := loads(t, simulator.Config{})
			a.on(fault + "@bank=280001")
			got := a.updated(token, id)
			if got.Status != status || got.code() != code || (got.Payload.ErrorMessage != nil) != (code != "") {
				t.Errorf("%s %s, want %s %s", got.Status, got.code(), status, code)
			}
			if got := a.connection(token, id).UpdateStatus; got != connection {
				t.Errorf("connection %s, want %s", got, connection)
			}
		}
	}
	stays := func(fault, status string) func(*testing.T) {
		return func(t *testing.T) {
			a, token, id := loads(t, simulator.Config{TokenLife: 10_000 * time.Hour})
			a.on(fault)
			k := a.task(token, update(id))
			a.ClearFaults()
			a.clock.Advance(300 * 24 * time.Hour)
			if got := a.taskNow(token, k.ID).Status; got != status {
				t.Errorf("task %s, want %s", got, status)
			}
			a.post(taskPath, token, update(id)).refused(423, "LOCKED")
			a.post("/connections/"+itoa(id)+"/delete", "", "").want(303) // a person can end it
			a.hasConnections(0)
		}
	}
	return map[string]func(*testing.T){
		"task-never-starts":  stays("task-never-starts", "NOT_YET_STARTED"),
		"task-never-ends":    stays("task-never-ends", "IN_PROGRESS"),
		"task-needs-form":    ends("task-needs-form", "WEB_FORM_REQUIRED", "", "READY"),
		"task-error-updated": ends("task-error-updated:code=UNEXPECTED_ACCESS_RESPONSE", "COMPLETED_WITH_ERROR", "UNEXPECTED_ACCESS_RESPONSE", "IN_PROGRESS"),
		"task-not-updated":   ends("task-not-updated", "COMPLETED", "", "READY"),
		"task-error": func(t *testing.T) {
			for _, code := range []string{"BANK_SERVER_REJECTION", "INTERNAL_ERROR", "INVALID_TOKEN", "UNEXPECTED_ACCESS_RESPONSE"} {
				ends("task-error:code="+code, "COMPLETED_WITH_ERROR", code, "READY")(t)
			}
			a, token, id := loads(t, simulator.Config{})
			a.on("task-error:code=MANDATOR_MISCONFIGURATION") // newer than the documents that answers are held against
			if got := a.unchecked().updated(token, id); got.code() != "MANDATOR_MISCONFIGURATION" {
				t.Errorf("%s, want MANDATOR_MISCONFIGURATION", got.code())
			}
		},
		"task-token-dies": func(t *testing.T) {
			a, token, id := loads(t, simulator.Config{})
			a.on("task-token-dies@user=u")
			k := a.task(token, update(id))
			a.clock.Advance(2 * time.Second)
			a.get("/api/tasks/"+k.ID, token).refused(401, "UNAUTHORIZED")
			token = a.password("u").Access
			if got := a.taskNow(token, k.ID); got.Status != "COMPLETED_WITH_ERROR" || got.code() != "INVALID_TOKEN" {
				t.Errorf("%s %s, want INVALID_TOKEN", got.Status, got.code())
			}
			if got := a.connection(token, id).UpdateStatus; got != "READY" {
				t.Errorf("connection %s, want READY", got)
			}
		},
		"task-gone": func(t *testing.T) {
			v := listen(t, ok)
			a, token, id := loads(t, v.config())
			a.on("task-gone")
			k := a.task(token, update(id, `"callbacks":{"finalised":"`+v.url+`"}`))
			a.taskNow(token, k.ID)
			a.clock.Advance(2 * time.Second)
			v.nextBody(`{"status":"COMPLETED","taskId":"` + k.ID + `"}`)
			a.get("/api/tasks/"+k.ID, token).refused(404, "NOT_FOUND")
			if got := a.connection(token, id).UpdateStatus; got != "IN_PROGRESS" {
				t.Errorf("connection %s, want IN_PROGRESS", got)
			}
		},
	}
}

// Who deletes a connection or a user ends its tasks.
func TestTaskLosesWhatItUpdates(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{})
	k := a.task(token, update(id))
	a.on("connection-deleted:op=get-connection,after=0")
	a.get("/api/v2/bankConnections/"+itoa(id), token).refused(404, "UNKNOWN_ENTITY")
	a.clock.Advance(2 * time.Second)
	if got := a.taskNow(token, k.ID); got.Status != "COMPLETED_WITH_ERROR" || got.code() != "UNEXPECTED_ACCESS_RESPONSE" {
		t.Errorf("%s %s, want UNEXPECTED_ACCESS_RESPONSE", got.Status, got.code())
	}

	again := a.loaded(token, testBank)
	f := a.updated(token, again, `"manageSavedSettings":["CREDENTIALS"]`).Payload.WebForm
	p := a.open(*f)
	a.delete("/api/v2/bankConnections/"+itoa(again), token).want(200)
	p.logsIn()
	if got := a.formNow(token, f.ID); got.code() != "UNEXPECTED_ACCESS_RESPONSE" || got.connection() != 0 {
		t.Errorf("form %s of connection %d, want UNEXPECTED_ACCESS_RESPONSE of none", got.code(), got.connection())
	}

	a.task(token, update(a.loaded(token, testBank)))
	a.on("user-deleted:op=list-tasks,after=0")
	a.get("/api/tasks", token).refused(401, "UNAUTHORIZED")
	a.clock.Advance(time.Minute)
	if j := a.Journal(); len(j.Tasks)+len(j.Connections) != 0 {
		t.Errorf("%d tasks and %d connections without a user", len(j.Tasks), len(j.Connections))
	}
}

// A fault of a bank hits the tasks of its connections.
func TestFaultsOfCallsAboutTasks(t *testing.T) {
	t.Parallel()
	a, token, id := loads(t, simulator.Config{})
	other := a.loaded(token, redirectBank)
	k := a.task(token, update(id))
	a.on("status-500@bank=280001")
	a.post(taskPath, token, update(id)).refused(500, "INTERNAL_SERVER_ERROR")
	a.get("/api/tasks", token).want(200)
	a.unchecked().get("/api/tasks/"+k.ID, token).refused(500, "INTERNAL_SERVER_ERROR")
	a.taskNow(token, a.task(token, update(other)).ID)
}
