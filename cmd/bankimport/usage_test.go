package main

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// commands are all of them, as somebody would type them.
func commands() []string {
	return []string{
		"", "dev", "run", "import", "cancel", "watch", "topics", "topics plan", "topics apply",
		"dead-letters", "dead-letters list", "dead-letters show", "dead-letters redrive",
		"config", "config print", "config check", "config help", "simulator", "version", "help",
	}
}

func TestHelp(t *testing.T) {
	t.Parallel()
	for _, c := range commands() {
		t.Run("bankimport "+c, func(t *testing.T) {
			t.Parallel()
			// A broken setting must not keep anybody from reading the help.
			got := call(t, []string{"BANKIMPORT_NONSENSE=1"}, append(strings.Fields(c), "-h")...)
			got.check(t, exitOK)
			if !strings.Contains(got.stdout, "Usage:\n  "+strings.TrimSpace("bankimport "+c)) || got.stderr != "" {
				t.Errorf("got stdout\n%s\nand stderr\n%s\nwant the usage on stdout alone", got.stdout, got.stderr)
			}
			if c == "help" {
				return
			}
			if same := call(t, nil, append([]string{"help"}, strings.Fields(c)...)...); same.stdout != got.stdout {
				t.Errorf("help %s says something else:\n%s", c, same.stdout)
			}
		})
	}
}

// TestHelp_NamesEveryCommand: the list of this test and of the program agree.
func TestHelp_NamesEveryCommand(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, c := range commands() {
		listed[strings.TrimSpace("bankimport "+c)] = true
	}
	for _, c := range (&app{}).root().Commands() {
		for _, c := range append(c.Commands(), c) {
			if !c.Hidden && !strings.HasPrefix(c.CommandPath(), "bankimport completion") && !listed[c.CommandPath()] && c.Name() != "help" {
				t.Errorf("%s is not in the list of commands", c.CommandPath())
			}
		}
	}
	got := call(t, nil)
	got.check(t, exitOK)
	for _, want := range []string{"Start with: bankimport dev", "bankimport config help", "130 interrupted"} {
		if !strings.Contains(got.stdout, want) {
			t.Errorf("the help does not have %q:\n%s", want, got.stdout)
		}
	}
}

// TestUsage: every mistake ends with exit code 2 and nothing on stdout, and is
// one line that says what is wrong and what to do.
func TestUsage(t *testing.T) {
	t.Parallel()
	notPEM := filepath.Join(t.TempDir(), "ca.crt")
	if err := os.WriteFile(notPEM, []byte("no certificate"), 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"nonsense":                                       `unknown command "nonsense"; see bankimport -h`,
		"improt --user u":                                `unknown command "improt": did you mean bankimport import?`,
		"--nonsense":                                     "unknown flag: --nonsense; see bankimport -h",
		"help nonsense":                                  `unknown command "nonsense"`,
		"help config prnt":                               "did you mean bankimport config print?",
		"topics aply":                                    "did you mean bankimport topics apply?",
		"config nonsense":                                "see bankimport config -h",
		"completion nonsense":                            "see bankimport completion -h",
		"version x":                                      `"x" is too much: bankimport version takes no arguments; see bankimport version -h`,
		"import x --user u":                              `"x" is too much`,
		"watch a b":                                      `"b" is too much: bankimport watch takes one argument at most; see bankimport watch -h`,
		"topics plan x":                                  `"x" is too much`,
		"config check nonsense":                          `"nonsense" is no stage: want one or more of webform, connection, accounts, transactions, bridge`,
		"run nonsense":                                   `"nonsense" is no stage`,
		"import --usr u":                                 "unknown flag: --usr; see bankimport import -h",
		"import --user":                                  "flag needs an argument: --user; see bankimport import -h",
		"import":                                         "--user is required",
		"import --user u --bank abc":                     `--bank "abc": want a whole number; see bankimport import -h`,
		"import --user u --wait=x":                       `--wait "x": want true or false`,
		"import --user u --timeout 5":                    `--timeout "5": want a duration with its unit`,
		"import --user u --timeout 5s":                   "--timeout 5s: want a duration above 0, with --wait",
		"import --user u --wait --timeout -5s":           "--timeout -5s: want a duration above 0",
		"import --user u -o yaml":                        `--output "yaml": want one of text, json, jsonl`,
		"import --user u --account-types current":        "--account-types: unknown account type; allowed are bausparen, checking",
		"import --user u --id 12":                        "--id: must be a lower-case UUID",
		"import --user u --bank -1":                      "--bank: must be at least 1",
		"import --user u --max-days 5 --bank -1":         "--bank: must be at least 1; --max-days: must be 0 (all there is) or 14 to 3650; see bankimport import -h",
		"import --user u --bank 1 --bank-search x":       "--bank-search: must not be set together with --bank",
		"watch 12":                                       `"12" is no id of an import, a lower-case UUID; bankimport watch without one shows all imports`,
		"watch 7F3A0C1E-5B1D-4C62-8E0F-0A1B2C3D91C2":     "a lower-case UUID",
		"cancel":                                         "an argument is missing: bankimport cancel ID",
		"cancel a b":                                     `"b" is too much`,
		"cancel 12":                                      `"12" is no id of an import, a lower-case UUID`,
		"import --user u --bank 1 --connection 7":        "--bank: must not be set together with --connection",
		"watch -o yaml":                                  `--output "yaml": want one of text, json, jsonl`,
		"watch -o json":                                  `--output "json": want one of text, jsonl`,
		"topics plan -o jsonl":                           `--output "jsonl": want one of text, json`,
		"config print -o jsonl":                          `--output "jsonl": want one of text, json`,
		"dev x":                                          `"x" is too much`,
		"dev --form-life long":                           `--form-life "long": want a duration`,
		"dev --form-life -1s":                            "--form-life -1s: want a duration above 0",
		"dev --addr nowhere":                             `--addr "nowhere": missing port in address; want HOST:PORT`,
		"simulator --addr 127.0.0.1:99999":               `--addr "127.0.0.1:99999": invalid port`,
		"simulator --callback-dial x":                    `--callback-dial "x": want HOST=ADDR, like bridge.bankimport.test=127.0.0.1:8443`,
		"simulator --callback-dial x=y":                  "callback dial x=y: want HOST=ADDRESS:PORT; see bankimport simulator -h",
		"simulator --callback-ca " + notPEM + "x":        "--callback-ca: open " + notPEM,
		"simulator --callback-ca " + notPEM:              "--callback-ca " + notPEM + ": no certificate in it; want PEM",
		"simulator --callbacks sometimes":                `callbacks "sometimes": want deliver, drop or double; see bankimport simulator -h`,
		"simulator --bank big":                           `--bank: bank "big": want ID:ACCOUNTSxROWS`,
		"simulator --addr 127.0.0.1:0 --bank 280001:1x1": "280001",
		"simulator --base-url x --client-id= --form-life -1s": "base URL",
	} {
		t.Run(args, func(t *testing.T) {
			t.Parallel()
			got := call(t, nil, strings.Fields(args)...)
			got.check(t, exitUsage, "bankimport: ", want)
			if got.stdout != "" {
				t.Errorf("got stdout %q, want none", got.stdout)
			}
			if lines := strings.Count(got.stderr, "\n"); lines != 1 && !strings.Contains(args, "client-id=") {
				t.Errorf("got %d lines, want one: %s", lines, got.stderr)
			}
		})
	}
}

// TestPortInUse: the error names the address and the setting.
func TestPortInUse(t *testing.T) {
	t.Parallel()
	taken := listening(t)
	for name, tc := range map[string]struct {
		environ []string
		args    []string
		want    []string
	}{
		"dev": {nil, []string{"dev", "--addr", taken, "--simulator-addr", "127.0.0.1:0", "--bridge-addr", "127.0.0.1:0", "--admin-addr", taken, "--kafka-addr", "127.0.0.1:0"},
			[]string{"these addresses are in use:\n  " + taken + " (--addr)\n  " + taken + " (--admin-addr)\n", "another bankimport dev", "set these flags"}},
		"simulator": {nil, []string{"simulator", "--addr", taken}, []string{taken, "in use", "set --addr to a free address"}},
		"run, admin": {complete(t, "ADMIN_ADDR="+taken), []string{"run", "webform"},
			[]string{taken, "in use", "set BANKIMPORT_ADMIN_ADDR to a free address"}},
		"run, bridge": {complete(t, "PUBLIC_ADDR="+taken), []string{"run", "bridge"},
			[]string{taken, "in use", "set BANKIMPORT_PUBLIC_ADDR to a free address"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			call(t, tc.environ, tc.args...).check(t, exitFailed, tc.want...)
		})
	}
}

// listening returns an address that is taken until the test ends, and where
// nobody answers.
func listening(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	return l.Addr().String()
}
