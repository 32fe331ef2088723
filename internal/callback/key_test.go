package callback

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"log/slog"
	"regexp"
	"strings"
	"testing"
	"time"
)

func TestParseKeys(t *testing.T) {
	t.Parallel()
	one, two := GenerateKey("k1"), GenerateKey("2026")
	_, encoded, _ := strings.Cut(one, ":")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, list, want string }{
		{"one", one, "k1"},
		{"two", one + "," + two, "k1 2026"},
		{"spaces", " " + one + " , " + two + " ", "k1 2026"},
		{"no padding", "k1:" + base64.RawStdEncoding.EncodeToString(raw), "k1"},
		{"the other alphabet", "k1:" + base64.URLEncoding.EncodeToString(raw), "k1"},
	} {
		keys, err := ParseKeys(c.list)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var got []string
		for _, k := range keys {
			got = append(got, k.ID())
		}
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: got keys %v, want %s", c.name, got, c.want)
		}
	}
}

func TestParseKeys_Refuses(t *testing.T) {
	t.Parallel()
	good := GenerateKey("k1")
	_, secret, _ := strings.Cut(good, ":")
	entry := func(key string) string { return "k1:" + base64.StdEncoding.EncodeToString([]byte(key)) }
	for _, c := range []struct{ name, list, want string }{
		{"empty", "", "is empty"},
		{"blank", " \n", "is empty"},
		{"no id", secret, "entry 1 has no ':'"},
		{"empty id", ":" + secret, "entry 1 has a bad id"},
		{"long id", "2026a:" + secret, "entry 1 has a bad id"},
		{"id with a sign", "a-b:" + secret, "entry 1 has a bad id"},
		{"id not ASCII", "ä:" + secret, "entry 1 has a bad id"},
		{"no key", "k1:", "entry 1 has a key of 0 bytes"},
		{"short key", "k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 200}, 8)), "entry 1 has a key of 16 bytes, want 32"},
		{"long key", "k1:" + base64.StdEncoding.EncodeToString(bytes.Repeat([]byte{1, 200}, 32)), "entry 1 has a key of 64 bytes"},
		{"not base64", "k1:changeme!", "entry 1 has a key that is not base64"},
		{"placeholder", entry(strings.Repeat("changeme", 4)), "entry 1 has a key that is not random"},
		{"zeroes", entry(strings.Repeat("\x00", 32)), "entry 1 has a key that is not random"},
		{"hex digits", entry("0123456789abcdef0123456789abcdef"), "entry 1 has a key that is not random"},
		{"a sentence", entry("The quick brown fox jumps over t"), "entry 1 has a key that is not random"},
		{"same id", good + "," + GenerateKey("k1"), "entries 1 and 2 have the same id"},
		{"same key", good + "," + GenerateKey("k2") + ",k3:" + secret, "entries 1 and 3 have the same key"},
		{"an empty entry", good + ",", "entry 2 has no ':'"},
		{"everything at once", "x," + good + ",k2:", "entry 1 has no ':'; entry 3 has a key of 0 bytes"},
		{"too many", strings.Repeat(good+",", maxKeys) + good, "has 17 entries, at most 16"},
	} {
		keys, err := ParseKeys(c.list)
		if err == nil {
			t.Errorf("%s: got %v, want an error", c.name, keys)
			continue
		}
		for part := range strings.SplitSeq(c.want, "; ") {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want it to say %q", c.name, err, part)
			}
		}
		if strings.Contains(err.Error(), secret) || strings.Contains(err.Error(), "changeme") {
			t.Errorf("%s: the error %q quotes the key", c.name, err)
		}
	}
}

func TestKey_NeverPrinted(t *testing.T) {
	t.Parallel()
	list := GenerateKey("k1")
	keys, err := ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(keys, "prod-")
	if err != nil {
		t.Fatal(err)
	}
	_, encoded, _ := strings.Cut(list, ":")
	raw, err := base64.StdEncoding.DecodeString(encoded)
	if err != nil {
		t.Fatal(err)
	}
	holder := struct{ key Key }{keys[0]}
	var out strings.Builder
	log := slog.New(slog.NewJSONHandler(&out, nil))
	for _, v := range []any{keys[0], &keys[0], keys, s, *s, holder} {
		fmt.Fprintf(&out, "%v %+v %#v %s %x\n", v, v, v, v, v)
		log.Info("message", "value", v)
	}
	for _, shown := range []string{encoded, string(raw), fmt.Sprintf("%x", raw), fmt.Sprint(raw), fmt.Sprintf("%#v", raw)} {
		if shown = strings.Trim(shown, "[]"); strings.Contains(out.String(), shown) {
			t.Errorf("the key was printed as %q", shown)
		}
	}
}

// wrongKeys is everything that ParseKeys complains of, a line each.
var wrongKeys = regexp.MustCompile(`^(is empty: want a list id:key,id:key; make a key with: openssl rand -base64 32` +
	`|has [0-9]+ entries, at most 16 are possible` +
	`|entry [0-9]+ has (no ':': want id:key|a bad id: want 1 to 4 letters or digits before the ':'` +
	`|a key that is not (base64|random); make a key with: openssl rand -base64 32` +
	`|a key of [0-9]+ bytes, want 32; make a key with: openssl rand -base64 32)` +
	`|entries [0-9]+ and [0-9]+ have the same (id|key))$`)

// Every list is keys that seal and open, or what is wrong with it, in constant
// words that quote nothing.
func FuzzParseKeys(f *testing.F) {
	good := fuzzKey()
	secret := sha256.Sum256([]byte("another key"))
	other := "2026:" + base64.RawURLEncoding.EncodeToString(secret[:])
	for _, seed := range []string{
		good, " " + good + " ,\t" + other, strings.TrimRight(good, "="), good + "," + good, good + ",k2" + good[2:], "k1:changeme", "k1", ":", "", " ", ",",
		"k1:" + good, "é:" + good[3:], "k1\x00:" + good[3:], "k1:\n" + good[3:], good[:20] + "\n" + good[20:], good + "====", "k1:" + strings.Repeat("A", 43),
		"k1:" + base64.StdEncoding.EncodeToString([]byte("0123456789abcdef0123456789abcdef")), strings.Repeat(good+",", 20),
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		keys, err := ParseKeys(list)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !wrongKeys.MatchString(line) {
					t.Errorf("got %q, which is none of the known complaints", line)
				}
			}
			if keys != nil {
				t.Errorf("got keys %v beside %v", keys, err)
			}
			return
		}
		entries := strings.Split(list, ",")
		if len(keys) != len(entries) || len(keys) > maxKeys {
			t.Fatalf("got %d keys of %d entries", len(keys), len(entries))
		}
		all, err := New(keys, "")
		if err != nil {
			t.Fatal(err)
		}
		for i, key := range keys {
			if id, _, _ := strings.Cut(strings.TrimSpace(entries[i]), ":"); key.ID() != id {
				t.Errorf("entry %d: got id %q, want %q", i+1, key.ID(), id)
			}
			want := Token{ImportID: importID, Run: 1, Expires: expiry}
			token := seal(t, sealer(t, "", entries[i]), want)
			if got, err := all.Open(token, expiry.Add(-time.Hour)); err != nil || got != want {
				t.Errorf("what entry %d seals: got %v, %v", i+1, got, err)
			}
		}
	})
}
