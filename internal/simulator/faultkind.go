package simulator

import (
	"slices"
	"strings"
	"time"
)

// faultKind is one kind of fault. What it does is in one of its functions; each
// belongs to a moment at which a fault can strike.
type faultKind struct {
	name, what string
	group      string
	standard   Fault // its own values; what is 0 here it does not take, but for count, after, share and op
	mostN      int

	ops      []string // the only calls that it can hit; nil: all
	needs    subject
	call     func(*exchange)                                   // before, instead of or after a call
	edit     func(*edit)                                       // in the good answer to a call
	make     func(f *form, x Fault)                            // when a form is made
	login    func(s *Simulator, f *form, x Fault, t time.Time) // when the person in a form has logged in
	finish   func(s *Simulator, f *form, x Fault, e *formEnd)  // when the person has finished the form
	callback func(s *Simulator, x Fault, p *[]*parcel)         // when a form or a task calls back
	connect  func(s *Simulator, c *connection, x Fault)        // when a connection is made or updated
	once     bool                                              // connect strikes only when it is made
	task     func(t *task, x Fault)                            // when an update task is made
}

// subject is what a call must be about for a fault to hit it.
type subject int

const (
	anything subject = iota
	aUser
	aConnection
	anAccount
)

func (n subject) in(t target) bool {
	switch n {
	case aUser:
		return t.user != ""
	case aConnection:
		return t.connection != 0
	case anAccount:
		return t.account != 0
	default:
		return true
	}
}

// Groups of faults, in the order in which pages list them.
const (
	groupNetwork     = "The network"
	groupLogin       = "Logins and tokens"
	groupForm        = "Web forms"
	groupCallback    = "Callbacks"
	groupTask        = "Update tasks"
	groupConnection  = "Connections and accounts"
	groupTransaction = "Transactions"
	groupAnswer      = "The shape of answers"
)

// faultKinds is every fault that there is. Of several that strike at one moment
// the first goes first: faults of the network are outside of all others.
func faultKinds() []*faultKind {
	var all []*faultKind
	for _, group := range []struct {
		name  string
		kinds []*faultKind
	}{
		{groupNetwork, networkFaults()},
		{groupLogin, loginFaults()},
		{groupForm, formFaults()},
		{groupCallback, callbackFaults()},
		{groupTask, taskFaults()},
		{groupConnection, connectionFaults()},
		{groupTransaction, transactionFaults()},
		{groupAnswer, answerFaults()},
	} {
		for _, k := range group.kinds {
			k.group = group.name
			all = append(all, k)
		}
	}
	return all
}

func kindOf(name string) *faultKind {
	for _, k := range faultKinds() {
		if k.name == name {
			return k
		}
	}
	return nil
}

// operations are the calls that a fault of this kind can hit.
func (k *faultKind) operations() []string {
	switch {
	case k.call == nil && k.edit == nil:
		return nil
	case k.ops != nil:
		return k.ops
	default:
		return operationNames()
	}
}

// operationNames are the calls of both APIs, as op names them.
func operationNames() []string {
	return []string{
		"token", "create-user", "delete-user", "list-banks", "get-bank",
		"create-form", "get-form", "list-forms", "cancel-form", "delete-form",
		"create-task", "get-task", "list-tasks",
		"list-connections", "get-connection", "delete-connection", "list-accounts", "list-transactions", "list-pending",
	}
}

// op is the operation's name as faults spell it.
func (o operation) op() string { return strings.ReplaceAll(o.name, " ", "-") }

// FaultKind describes a fault for people.
type FaultKind struct {
	Name   string `json:"name"`
	Group  string `json:"group"`
	What   string `json:"what"`   // one line
	Params string `json:"params"` // what it takes besides count, after and share, with its own values, e.g. "delay=5m"
}

// FaultKinds are all faults that there are, group by group.
func FaultKinds() []FaultKind {
	var all []FaultKind
	for _, k := range faultKinds() {
		all = append(all, k.described())
	}
	return all
}

func (k *faultKind) described() FaultKind {
	own := k.standard
	if len(k.operations()) < 2 || own.Operation == "" && k.ops == nil {
		own.Operation = "" // the only one, or any
	}
	_, params, _ := strings.Cut(own.String(), ":")
	if k.ops == nil && k.operations() != nil && own.Operation == "" {
		params = strings.TrimPrefix(params+",op=any", ",")
	}
	return FaultKind{Name: k.name, Group: k.group, What: k.what, Params: params}
}

// strike lets every kind strike that has a moment of this sort.
func (s *Simulator) strike(t target, moment func(*faultKind) bool, do func(*faultKind, Fault)) {
	if s.faults.none() {
		return
	}
	for _, k := range s.kinds {
		if moment(k) {
			if f, hit := s.hits(k, t); hit {
				do(k, f)
			}
		}
	}
}

func (k *faultKind) hasOperation(op string) bool { return k.ops == nil || slices.Contains(k.ops, op) }
