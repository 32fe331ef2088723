package simulator

// taskFaults are ends of update tasks. They strike when a task is made, with the
// mutex held. What a task does to its connection is up to the faults of connections.
func taskFaults() []*faultKind {
	return []*faultKind{
		{name: "task-never-starts", what: "The task stays NOT_YET_STARTED, and its connection locked.", task: func(t *task, _ Fault) {
			t.starts, t.ends, t.stuck = t.created.Add(forever), t.created.Add(forever), true
		}},
		{name: "task-never-ends", what: "The task stays IN_PROGRESS, and its connection locked.", task: func(t *task, _ Fault) {
			t.ends, t.stuck = t.created.Add(forever), true
		}},
		{name: "task-needs-form", what: "The task ends as WEB_FORM_REQUIRED: the bank wants the user.", task: func(t *task, _ Fault) {
			t.plan = taskEnd{status: taskWebFormRequired}
		}},
		{name: "task-error", what: "The task ends with an error and this code, one of the contract's or any other; nothing is updated.", standard: Fault{Code: codeBankRejection}, task: func(t *task, x Fault) {
			t.plan = taskEnd{status: taskFailed, code: x.Code}
		}},
		{name: "task-error-updated", what: "The task ends with an error although the connection is updated.", standard: Fault{Code: "INTERNAL_ERROR"}, task: func(t *task, x Fault) {
			t.plan = taskEnd{status: taskFailed, code: x.Code, updates: true}
		}},
		{name: "task-not-updated", what: "The task ends well, and nothing is updated.", task: func(t *task, _ Fault) {
			t.plan.updates = false
		}},
		{name: "task-token-dies", what: "The token that made the task dies while it runs: the task ends as INVALID_TOKEN.", task: func(t *task, _ Fault) {
			if t.token.alive(t.ends) {
				t.token.expires = t.ends
			}
		}},
		{name: "task-gone", what: "The task is deleted when it ends; its callback goes out, reading it gives 404.", task: func(t *task, _ Fault) {
			t.plan.gone = true
		}},
	}
}
