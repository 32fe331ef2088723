package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/bankimport/bankimport/internal/config"
	"github.com/bankimport/bankimport/internal/simulator/player"
	"github.com/bankimport/bankimport/schemas"
)

// quick are settings that make an import take a moment where the provider needs
// no time.
func quick() []string {
	return []string{"BANKIMPORT_DOWNLOAD_POLL_INTERVAL=20ms", "BANKIMPORT_CATEGORY_POLL_INTERVAL=20ms", "BANKIMPORT_REREAD_AFTER=20ms"}
}

// devArgs runs dev on free ports, with a provider that needs no time.
func devArgs(more ...string) []string {
	return append([]string{
		"dev", "--addr", "127.0.0.1:0", "--simulator-addr", "127.0.0.1:0", "--bridge-addr", "127.0.0.1:0",
		"--admin-addr", "127.0.0.1:0", "--kafka-addr", "127.0.0.1:0", "--download-time", "0", "--categorization-time", "0",
	}, more...)
}

// The test bank, as what --auto prints of it.
const testBank = `(?s)^completed in \S+ s: 4 accounts, 1,612 transactions, all reconciled
 +checking  [0-9a-f]{8}…  806 transactions  sum     -6793\.55
 +checking  [0-9a-f]{8}…  512 transactions  sum     -1150\.00
 +savings  [0-9a-f]{8}…   50 transactions  sum     -6163\.24
 +credit_card  [0-9a-f]{8}…  244 transactions  sum       519\.69
$`

func TestDev_Auto(t *testing.T) {
	t.Parallel()
	dev := start(t, append(quick(), "BANKIMPORT_LOG_LEVEL=debug"), devArgs("--auto")...)
	got := dev.end(t)
	got.check(t, exitOK, "bankimport dev is up after ", "(--auto: a user is played)", "\n  downloading from the bank\n") // the last rows may be overtaken by the end, which is on another topic
	if !regexp.MustCompile(testBank).MatchString(got.stdout) {
		t.Errorf("got stdout\n%s\nwant it to match %s", got.stdout, testBank)
	}
	if strings.Contains(got.stderr, "open this form") {
		t.Error("it asks somebody to open the form")
	}
	for _, secret := range []string{"/wf/", "Bearer ", "BEGIN EC", "access_token"} {
		if strings.Contains(got.stderr, secret) {
			t.Errorf("%q is in the log", secret)
		}
	}
}

func TestDev_AutoInterrupted(t *testing.T) {
	t.Parallel()
	dev := start(t, nil, devArgs("--auto", "--download-time", "1h")...)
	dev.stderr.await(t, `^  downloading from the bank`)
	dev.interrupt(t).check(t, exitInterrupted)
}

// world is a bankimport dev that runs, and the settings of commands beside it.
type world struct {
	dev     *started
	environ []string
}

func newWorld(t *testing.T, flags ...string) *world {
	t.Helper()
	w := &world{dev: start(t, quick(), devArgs(flags...)...)}
	w.environ = []string{w.dev.stderr.await(t, `^  (BANKIMPORT_KAFKA_BROKERS=\S+) bankimport import --user u1 --bank 280001 --wait$`)}
	return w
}

// importing starts an import for a user of its own and returns the address of
// its form.
func (w *world) importing(t *testing.T, user string, args ...string) (*started, string) {
	t.Helper()
	im := start(t, w.environ, append([]string{"import", "--user", user, "--bank", "280001", "--wait"}, args...)...)
	return im, im.stderr.await(t, `^open this form \(valid until \d\d:\d\d:\d\d\): (http://127\.0\.0\.1:\d+/wf/\S+)$`)
}

func play(t *testing.T, person func(context.Context, string) error, url string) {
	t.Helper()
	if err := person(t.Context(), url); err != nil {
		t.Fatal(err)
	}
}

// TestDev is a morning with bankimport dev: what a person does beside it, with
// nothing set but where it listens.
func TestDev(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	watching := start(t, w.environ, "watch")
	watching.stderr.await(t, `^0 imports so far; waiting for what comes`)
	streaming := start(t, w.environ, "watch", "-o", "jsonl")

	t.Run("group", func(t *testing.T) {
		t.Run("banner", func(t *testing.T) { t.Parallel(); w.banner(t) })
		t.Run("import as text", func(t *testing.T) { t.Parallel(); w.text(t) })
		t.Run("import as JSON", func(t *testing.T) { t.Parallel(); w.json(t) })
		t.Run("import as JSON lines", func(t *testing.T) { t.Parallel(); w.jsonLines(t) })
		t.Run("import that the user cancels", func(t *testing.T) { t.Parallel(); w.cancelled(t) })
		t.Run("import that upstream cancels", func(t *testing.T) { t.Parallel(); w.cancelledByUpstream(t) })
		t.Run("connection read again", func(t *testing.T) { t.Parallel(); w.again(t) })
		t.Run("import that is interrupted", func(t *testing.T) { t.Parallel(); w.interrupted(t) })
		t.Run("import that takes too long", func(t *testing.T) { t.Parallel(); w.tooLong(t) })
		t.Run("import without waiting", func(t *testing.T) { t.Parallel(); w.notWaiting(t) })
		t.Run("watch of nothing", func(t *testing.T) { t.Parallel(); w.watchNothing(t) })
		t.Run("topics", func(t *testing.T) { t.Parallel(); w.topics(t) })
	})

	const row = `^\d\d:\d\d:\d\d %s [0-9a-f-]{36}  [a-z]+ +  %s`
	for _, want := range []string{"● | form open, waiting for the user$", "✓ | completed in .* 4 accounts, 1,612 transactions, all reconciled$", "✕ | failed: user_aborted .ABORTED.$"} {
		mark, text, _ := strings.Cut(want, " | ")
		watching.stdout.await(t, strings.Replace(strings.Replace(row, "%s", mark, 1), "%s", text, 1))
	}
	watching.interrupt(t).check(t, exitInterrupted)
	streaming.stdout.await(t, `"topic":"import-failed"`)
	lines(t, streaming.interrupt(t).stdout)

	again := start(t, w.environ, "watch") // now there is something to tell first
	again.stderr.await(t, `^\d+ imports so far; waiting for what comes`)
	again.interrupt(t).check(t, exitInterrupted)
	if !strings.Contains(again.stdout.String(), "✕") {
		t.Error("the table lacks the import that was cancelled")
	}
	w.dev.interrupt(t).check(t, exitOK)
}

func (w *world) banner(t *testing.T) {
	addrs := map[string]string{}
	for _, what := range []string{"page", "simulator", "metrics"} {
		addrs[what] = w.dev.stderr.await(t, `^  `+what+` +(http://127\.0\.0\.1:\d+)  `)
	}
	addrs["bridge"] = w.dev.stderr.await(t, `^  bridge +(https://127\.0\.0\.1:\d+)  `)
	addrs["kafka"] = w.dev.stderr.await(t, `^  kafka +(127\.0\.0\.1:\d+)  `)
	w.dev.stderr.await(t, `^Next: open `+addrs["page"]+`, or`)
	for path, want := range map[string]string{addrs["page"] + "/": "280001", addrs["metrics"] + "/metrics": "bankimport_stage_triggers_total", addrs["metrics"] + "/livez": ""} {
		r, err := http.Get(path)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: got status %d, %v, want %q in\n%.500s", path, r.StatusCode, err, want, body)
		}
	}
	// The columns stand one under the other, whatever the ports are.
	column := map[int]bool{}
	for what, addr := range addrs {
		line := w.dev.stderr.await(t, `^(  `+what+` .*)$`)
		after := strings.Index(line, addr) + len(addr)
		column[after+len(line[after:])-len(strings.TrimLeft(line[after:], " "))] = true
	}
	if len(column) != 1 {
		t.Errorf("the descriptions begin in columns %v, want one", column)
	}
}

func (w *world) text(t *testing.T) {
	im, form := w.importing(t, "text")
	id := im.stderr.await(t, `^import ([0-9a-f-]{36})$`)
	follower := start(t, w.environ, "watch", id)
	if got := follower.stderr.await(t, `: (http://\S+)$`); got != form {
		t.Errorf("watch tells form %s, want %s", got, form)
	}
	play(t, player.Play, form)

	got := im.end(t)
	got.check(t, exitOK)
	const want = `^import [0-9a-f-]{36}
(  requested
)?open this form \(valid until [0-9:]{8}\): http://\S+
  form open, waiting for the user
(  downloading from the bank
)?(  downloaded, waiting for categories
)?(  reading accounts
)?(  reading transactions( [0-9,]+ of [0-9,]+)?
)+$`
	if !regexp.MustCompile(want).MatchString(got.stderr) {
		t.Errorf("got stderr\n%s\nwant it to match\n%s", got.stderr, want)
	}
	if !regexp.MustCompile(`^completed in \d\.\d s: 4 accounts, 1,612 transactions, all reconciled\n$`).MatchString(got.stdout) {
		t.Errorf("got stdout %q", got.stdout)
	}

	if e := follower.end(t); e.code != exitOK || e.stdout != got.stdout {
		t.Errorf("watch beside it: got exit code %d and stdout %q, want 0 and %q", e.code, e.stdout, got.stdout)
	}
	// After the end it says how it ended and nothing that is over.
	if e := call(t, w.environ, "watch", id); e.code != exitOK || e.stdout != got.stdout || e.stderr != "import "+id+"\n" {
		t.Errorf("watch after it: got exit code %d, stdout %q and stderr %q, want 0, %q and the id alone", e.code, e.stdout, e.stderr, got.stdout)
	}
}

func (w *world) json(t *testing.T) {
	im, form := w.importing(t, "json", "-o", "json")
	play(t, player.Play, form)
	got := im.end(t)
	got.check(t, exitOK)
	completed, err := schemas.Decode[schemas.ImportCompleted]([]byte(got.stdout))
	if err != nil {
		t.Fatalf("stdout is no import-completed: %v\n%s", err, got.stdout)
	}
	if completed.Transactions != 1612 || len(completed.Accounts) != 4 {
		t.Errorf("got %d transactions of %d accounts, want 1612 of 4", completed.Transactions, len(completed.Accounts))
	}
}

func (w *world) jsonLines(t *testing.T) {
	im := start(t, w.environ, "import", "--user", "jsonl", "--bank", "280001", "--wait", "-o", "jsonl")
	play(t, player.Play, im.stdout.await(t, `"url":"(http://[^"]+)"`))
	got := im.end(t)
	got.check(t, exitOK)
	all := lines(t, got.stdout)
	seen := map[string]bool{}
	for _, l := range all {
		seen[l.Type] = true
	}
	for _, want := range []string{schemas.TypeImportStatus, schemas.TypeWebformCreated, schemas.TypeImportCompleted} {
		if !seen[want] {
			t.Errorf("no %s in\n%s", want, got.stdout)
		}
	}
	id := all[0].Event["import_id"].(string)
	if got.stderr != "import "+id+"\n" {
		t.Errorf("got stderr %q, want the id alone", got.stderr)
	}
	again := call(t, w.environ, "watch", id, "-o", "jsonl")
	again.check(t, exitOK)
	if n := len(lines(t, again.stdout)); n == 0 || n > len(all) { // of the statuses the newest is enough
		t.Errorf("watch after it: got %d lines, want 1 to %d", n, len(all))
	}
}

type line struct {
	Topic, ID, Type   string
	Partition, Offset *int64
	Event             map[string]any
}

// lines reads what -o jsonl wrote.
func lines(t *testing.T, text string) []line {
	t.Helper()
	var all []line
	for one := range strings.Lines(text) {
		var l line
		if err := json.Unmarshal([]byte(one), &l); err != nil || l.Topic == "" || l.ID == "" || l.Type == "" || l.Partition == nil || l.Offset == nil || l.Event["import_id"] == nil {
			t.Fatalf("%v, or something is missing in line %s", err, one)
		}
		all = append(all, l)
	}
	if len(all) == 0 {
		t.Fatal("no lines")
	}
	return all
}

func (w *world) cancelled(t *testing.T) {
	im, form := w.importing(t, "cancels")
	id := im.stderr.await(t, `^import (\S+)$`)
	play(t, player.Cancel, form)
	got := im.end(t)
	got.check(t, exitEndedBadly, "a new import may succeed: request it again, with a new id")
	if want := "failed: user_aborted (ABORTED)\n"; got.stdout != want {
		t.Errorf("got stdout %q, want %q", got.stdout, want)
	}
	again := call(t, w.environ, "watch", id, "-o", "json")
	again.check(t, exitEndedBadly)
	failed, err := schemas.Decode[schemas.ImportFailed]([]byte(again.stdout))
	if err != nil || failed.Reason != schemas.ReasonUserAborted {
		t.Errorf("got reason %q and %v, want %s", failed.Reason, err, schemas.ReasonUserAborted)
	}
}

func (w *world) cancelledByUpstream(t *testing.T) {
	im, _ := w.importing(t, "regrets")
	id := im.stderr.await(t, `^import (\S+)$`)
	got := call(t, w.environ, "cancel", id)
	got.check(t, exitOK, "see what becomes of it with: bankimport watch "+id)
	if got.stdout != id+"\n" {
		t.Errorf("got stdout %q, want the id alone", got.stdout)
	}
	ended := im.end(t)
	ended.check(t, exitEndedBadly)
	if want := "failed: cancelled (CANCELLED)\n"; ended.stdout != want {
		t.Errorf("got stdout %q, want %q", ended.stdout, want)
	}
}

// again imports a bank, is told that it is there already, and reads it again.
func (w *world) again(t *testing.T) {
	im, form := w.importing(t, "returns")
	play(t, player.Play, form)
	first := im.end(t)
	first.check(t, exitOK)
	id := im.stderr.await(t, `^import (\S+)$`)
	repeated := call(t, w.environ, "import", "--user", "returns", "--bank", "280001", "--id", id, "--wait", "--timeout", "1m")
	repeated.check(t, exitOK) // it was over before
	if repeated.stdout != first.stdout {
		t.Errorf("got stdout %q of a request repeated, want %q", repeated.stdout, first.stdout)
	}
	second, form := w.importing(t, "returns")
	if err := player.Play(t.Context(), form); err == nil {
		t.Error("the form ended well, although the bank is connected")
	}
	got := second.end(t)
	got.check(t, exitEndedBadly, "read it again with: bankimport import --user returns --connection ")
	_, connection, _ := strings.Cut(strings.TrimSpace(got.stderr), "--connection ")
	reread := call(t, w.environ, "import", "--user", "returns", "--connection", connection, "--wait")
	reread.check(t, exitOK)
	if !strings.Contains(reread.stdout, "4 accounts, 1,612 transactions, all reconciled") {
		t.Errorf("got stdout %q, want all of it again", reread.stdout)
	}
	stranger := call(t, w.environ, "import", "--user", "stranger", "--connection", connection, "--wait")
	stranger.check(t, exitEndedBadly)
	if !strings.HasPrefix(stranger.stdout, "failed: connection_deleted") {
		t.Errorf("got stdout %q of somebody else's connection", stranger.stdout)
	}
}

func (w *world) interrupted(t *testing.T) {
	im, _ := w.importing(t, "interrupts")
	id := im.stderr.await(t, `^import (\S+)$`)
	got := im.interrupt(t)
	got.check(t, exitInterrupted, "the import goes on, see: bankimport watch "+id)
	if got.stdout != "" {
		t.Errorf("got stdout %q, want none", got.stdout)
	}
}

func (w *world) tooLong(t *testing.T) {
	im := start(t, w.environ, "import", "--user", "u", "--wait", "--timeout", "300ms")
	im.end(t).check(t, exitFailed, "has not ended in time; it goes on, follow it with: bankimport watch ")
}

func (w *world) notWaiting(t *testing.T) {
	const id = "0198c2a4-5b1d-7c62-8e0f-0a1b2c3d91c2"
	got := call(t, w.environ, "import", "--user", "u", "--id", id)
	got.check(t, exitOK, "requested; follow it with: bankimport watch "+id)
	if got.stdout != id+"\n" {
		t.Errorf("got stdout %q, want the id alone", got.stdout)
	}
	got = call(t, w.environ, "import", "--user", "u", "-o", "json")
	got.check(t, exitOK)
	var printed map[string]string
	if err := json.Unmarshal([]byte(got.stdout), &printed); err != nil || len(printed["import_id"]) != len(id) || got.stderr != "" {
		t.Errorf("got stdout %q, stderr %q, %v; want the id alone", got.stdout, got.stderr, err)
	}
}

func (w *world) watchNothing(t *testing.T) {
	s := start(t, w.environ, "watch", "11111111-1111-4111-8111-111111111111")
	s.stderr.await(t, `^  nothing is known of it yet; waiting$`)
	s.interrupt(t).check(t, exitInterrupted)
}

// topics: those of dev are as they must be, and others can be made beside them.
func (w *world) topics(t *testing.T) {
	plan := call(t, w.environ, "topics", "plan")
	plan.check(t, exitOK)
	if !strings.HasPrefix(plan.stdout, "ACTION") || !strings.HasSuffix(plan.stdout, "\n0 to create, 15 as they must be\n") {
		t.Errorf("got plan\n%s", plan.stdout)
	}
	other := append([]string{"BANKIMPORT_TOPIC_PREFIX=other.", "BANKIMPORT_PARTITIONS=2"}, w.environ...)
	missing := call(t, other, "watch")
	missing.check(t, exitFailed, "these topics do not exist: other.import-completed", "create them with bankimport topics apply")
	call(t, other, "import", "--user", "u").check(t, exitFailed, "other.import-requested", "create it with bankimport topics apply")

	apply := call(t, other, "topics", "apply")
	apply.check(t, exitOK, "15 topics created, 0 were there\n")
	if n := strings.Count(apply.stdout, "created other."); n != 15 || strings.Count(apply.stdout, "\n") != n {
		t.Errorf("got stdout\n%s\nwant 15 lines", apply.stdout)
	}
	call(t, other, "topics", "apply").check(t, exitOK, "0 topics created, 15 were there\n")
	other[1] = "BANKIMPORT_PARTITIONS=3"
	call(t, other, "topics", "apply").check(t, exitFailed, "partition counts do not fit")
	asJSON := call(t, other, "topics", "plan", "-o", "json")
	asJSON.check(t, exitFailed, "partition counts do not fit", "set BANKIMPORT_PARTITIONS")
	var parsed struct {
		Topics []struct{ Name, Action string }
	}
	if err := json.Unmarshal([]byte(asJSON.stdout), &parsed); err != nil || len(parsed.Topics) != 15 || parsed.Topics[0].Action != "conflict" {
		t.Errorf("got %d topics, %v, want 15 in conflict:\n%s", len(parsed.Topics), err, asJSON.stdout)
	}
}

// TestDevWorld_ProductionShell: what the shell has for a real cluster does not reach dev.
func TestDevWorld_ProductionShell(t *testing.T) {
	t.Parallel()
	l, err := (&devAddrs{page: anyPort, simulator: anyPort, bridge: anyPort, admin: anyPort, kafka: anyPort}).bind(config.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer l.close()
	w, err := newDevWorld([]string{
		"BANKIMPORT_KAFKA_BROKERS=kafka.example.com:9093", "BANKIMPORT_KAFKA_TLS=true", "BANKIMPORT_KAFKA_SASL_USER=u", "BANKIMPORT_REPLICATION=3",
		"BANKIMPORT_PUBLIC_TLS_CERT_FILE=/no/such/bridge.crt", "BANKIMPORT_USER_KEY_FILE=/no/such/key", "BANKIMPORT_RETRY_BUDGET=1m",
	}, l, "127.0.0.1:1")
	if err != nil {
		t.Fatal(err)
	}
	if k := w.cfg.Kafka; k.TLS || !slices.Equal(k.Brokers, []string{"127.0.0.1:1"}) || w.cfg.Topics.Replication == 3 {
		t.Errorf("dev would use brokers %v, TLS %v, replication %d", k.Brokers, k.TLS, w.cfg.Topics.Replication)
	}
	if w.cfg.Engine.RetryBudget != time.Minute {
		t.Errorf("retry budget %v, want the shell's", w.cfg.Engine.RetryBudget)
	}
}
