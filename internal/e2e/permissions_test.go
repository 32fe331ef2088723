//go:build realkafka

package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/bankimport/bankimport/internal/e2e/cluster"
	"github.com/bankimport/bankimport/internal/realkafka"
	"github.com/bankimport/bankimport/internal/simulator"
)

// On a broker with an authorizer, imports of every kind run with no other
// permissions than those that the README lists: each stage, the bridge and the
// operator who redrives a dead letter log in as a user of their own.
func TestPermissions(t *testing.T) {
	const password, operator = "not a secret here", "operator"
	users := append(stageNames(), "bridge", operator)
	b, guarded := realkafka.GuardedForTest(t, password, users...)
	p := newPlan(seeded(t), 20)
	w := newWorldOn(t, cluster.Real(b.Addr()), 5*time.Minute, pace{formLife: 2 * time.Minute, callbacks: simulator.DeliverCallbacks}, p.banks)
	w.expireUnopened(p.imports, 5*time.Second)
	for user, permissions := range readmePermissions(t) {
		for _, perm := range permissions {
			w.grant(user, perm)
		}
	}
	as := func(user string) map[string]string {
		return w.settings(map[string]string{
			"KAFKA_BROKERS": guarded, "KAFKA_SASL_MECHANISM": "PLAIN", "KAFKA_SASL_USER": user, "KAFKA_SASL_PASSWORD": password,
		})
	}
	binary := build(t, "")
	members := w.startMembers(binary, as)
	play := w.startUsers(p.imports, nil)
	up := newUpstream(t, w.cluster.Brokers, prefix)
	up.publish(w.ctx, append(w.requests(p.imports), kafka.Message{Key: []byte("no id"), Value: []byte("no event")})...)
	w.awaitEnds(p.ids()...)
	play()

	w.awaitDeadLetters(1)
	redrive := exec.CommandContext(w.ctx, binary, "dead-letters", "redrive", "--class", "invalid_event")
	redrive.Env = []string{"PATH=" + os.Getenv("PATH")}
	for _, variable := range []string{"KAFKA_BROKERS", "KAFKA_SASL_MECHANISM", "KAFKA_SASL_USER", "KAFKA_SASL_PASSWORD", "TOPIC_PREFIX"} {
		redrive.Env = append(redrive.Env, "BANKIMPORT_"+variable+"="+as(operator)[variable])
	}
	if out, err := redrive.CombinedOutput(); err != nil {
		t.Errorf("redrive: %v\n%s", err, out)
	}
	w.awaitDeadLetters(3) // the mark of the redriven one, and the new one

	w.awaitConsumed()
	for _, m := range members {
		m.stop()
	}
	truth := w.truth(p.imports)
	truth.DeadLetters = map[string]int{"invalid_event": 2}
	figures := w.verdict(w.settle(), truth)
	w.wantEveryKind(figures)
	if figures.Hints == 0 { // imports end without them, only later
		t.Error("the bridge has published nothing")
	}
	t.Log(figures)
}

// awaitDeadLetters waits for so many records on their topic.
func (w *world) awaitDeadLetters(n int) {
	w.Helper()
	err := w.log.Until(w.ctx, fmt.Sprintf("%d records of dead letters", n), func() bool { return len(w.log.Topic("dead-letters")) >= n })
	if err != nil {
		w.Fatal(err)
	}
}

// A permission is one row of an access control list, its name without the prefix.
type permission struct {
	kind kmsg.ACLResourceType
	name string
	op   kmsg.ACLOperation
}

func (w *world) grant(user string, p permission) {
	w.Helper()
	acl := kadm.NewACLs().Allow("User:" + user).AllowHosts("*").ResourcePatternType(kadm.ACLPatternLiteral).Operations(p.op)
	switch name := prefix + p.name; p.kind {
	case kmsg.ACLResourceTypeTopic:
		acl.Topics(name)
	case kmsg.ACLResourceTypeGroup:
		acl.Groups(name)
	default:
		acl.TransactionalIDs(name)
	}
	results, err := w.admin.CreateACLs(w.ctx, acl)
	if err != nil {
		w.Fatal(err)
	}
	for _, r := range results {
		if r.Err != nil {
			w.Fatalf("grant %v on %s to %s: %v", p.op, p.name, user, r.Err)
		}
	}
}

var (
	readmeRow     = regexp.MustCompile("(?m)^\\| (`\\w+`|each of them) \\| (.*) \\| (.*) \\|$")
	readmeName    = regexp.MustCompile("(group |transactional id )?`([^`]+)`")
	readmeBridge  = regexp.MustCompile("The bridge needs WRITE on `([^`]+)`")
	readmeAside   = regexp.MustCompile(`\([^)]*\)`)
	readmeRedrive = "WRITE on the stages' inputs, READ and WRITE on `dead-letters`, WRITE on the transactional id `bankimport.redrive`"
)

// readmePermissions are the permissions that the README lists, by user.
func readmePermissions(t *testing.T) map[string][]permission {
	t.Helper()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, ok := strings.Cut(string(text), "\n| stage | READ | WRITE |\n")
	if !ok {
		t.Fatal("the README has no table of permissions")
	}
	section, _, _ = strings.Cut(section, "\n\n")
	all := make(map[string][]permission)
	for _, row := range readmeRow.FindAllStringSubmatch(section, -1) {
		users := []string{strings.Trim(row[1], "`")}
		if users[0] == "each of them" {
			users = stageNames()
		}
		for _, user := range users {
			for i, op := range []kmsg.ACLOperation{kmsg.ACLOperationRead, kmsg.ACLOperationWrite} {
				for _, m := range readmeName.FindAllStringSubmatch(readmeAside.ReplaceAllString(row[2+i], ""), -1) {
					perm := permission{kmsg.ACLResourceTypeTopic, strings.NewReplacer("STAGE", user, "INSTANCE", "only").Replace(m[2]), op}
					switch m[1] {
					case "group ":
						perm.kind = kmsg.ACLResourceTypeGroup
					case "transactional id ":
						perm.kind = kmsg.ACLResourceTypeTransactionalId
					}
					all[user] = append(all[user], perm)
				}
			}
		}
	}
	if len(all) != len(stageNames()) {
		t.Fatalf("the README's table is for %d stages", len(all))
	}
	bridge := readmeBridge.FindStringSubmatch(string(text))
	if bridge == nil {
		t.Fatal("the README does not say what the bridge needs to write")
	}
	all["bridge"] = []permission{{kmsg.ACLResourceTypeTopic, bridge[1], kmsg.ACLOperationWrite}}
	if !strings.Contains(string(text), readmeRedrive) {
		t.Fatalf("the README does not say that a redrive needs %s", readmeRedrive)
	}
	all["operator"] = []permission{
		{kmsg.ACLResourceTypeTopic, "dead-letters", kmsg.ACLOperationRead},
		{kmsg.ACLResourceTypeTopic, "dead-letters", kmsg.ACLOperationWrite},
		{kmsg.ACLResourceTypeTransactionalId, "bankimport.redrive", kmsg.ACLOperationWrite},
	}
	for _, topic := range inputs() {
		all["operator"] = append(all["operator"], permission{kmsg.ACLResourceTypeTopic, topic, kmsg.ACLOperationWrite})
	}
	return all
}
