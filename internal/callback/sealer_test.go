package callback

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"math"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"
)

const importID = "7f3a0c1e-5b1d-4c62-8e0f-0a1b2c3d91c2"

var expiry = time.Date(2026, 11, 24, 9, 0, 0, 0, time.UTC)

func sealer(t testing.TB, environment, list string) *Sealer {
	t.Helper()
	keys, err := ParseKeys(list)
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(keys, environment)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func seal(t testing.TB, s *Sealer, token Token) string {
	t.Helper()
	sealed, err := s.Seal(token)
	if err != nil {
		t.Fatal(err)
	}
	return sealed
}

func wantRefused(t *testing.T, what string, s *Sealer, token string, now time.Time) {
	t.Helper()
	got, err := s.Open(token, now)
	if !errors.Is(err, ErrRefused) || err.Error() != ErrRefused.Error() || got != (Token{}) {
		t.Errorf("%s: got %v, %v; want nothing and %v", what, got, err, ErrRefused)
	}
}

func TestSealer_OpensWhatItSealed(t *testing.T) {
	t.Parallel()
	s := sealer(t, "prod-", GenerateKey("k1"))
	for _, want := range []Token{
		{ImportID: importID, Run: 1, Expires: expiry},
		{ImportID: uuid.Nil.String(), Run: math.MaxUint16, Expires: expiry.AddDate(200, 0, 0)},
		{ImportID: uuid.Max.String(), Run: 256, Expires: time.Unix(1, 0).UTC()},
	} {
		token := seal(t, s, want)
		if len(token) != TokenSize || TokenSize != 80 {
			t.Errorf("got %d characters, want %d", len(token), TokenSize)
		}
		if strings.ContainsFunc(token, func(r rune) bool { return notAlphanumeric(r) && r != '-' && r != '_' }) {
			t.Errorf("token %q cannot stand in a path segment as it is", token)
		}
		got, err := s.Open(token, want.Expires.Add(-time.Minute))
		if err != nil || got != want {
			t.Errorf("got %v, %v; want %v", got, err, want)
		}
		if seal(t, s, want) == token {
			t.Error("two tokens for the same import are equal")
		}
	}
}

func TestSealer_ExpiresToTheSecond(t *testing.T) {
	t.Parallel()
	s := sealer(t, "", GenerateKey("k1"))
	token := seal(t, s, Token{ImportID: importID, Run: 1, Expires: expiry.Add(900 * time.Millisecond)})
	for _, before := range []time.Duration{time.Second, time.Nanosecond} {
		if _, err := s.Open(token, expiry.Add(-before)); err != nil {
			t.Errorf("%s before its expiry: got %v, want it open", before, err)
		}
	}
	wantRefused(t, "at its expiry", s, token, expiry)
	wantRefused(t, "a second after", s, token, expiry.Add(time.Second))
	wantRefused(t, "years after", s, token, expiry.AddDate(300, 0, 0))
}

func TestSealer_RefusesEveryChange(t *testing.T) {
	t.Parallel()
	s := sealer(t, "", GenerateKey("k1"))
	now := expiry.Add(-time.Hour)
	token := seal(t, s, Token{ImportID: importID, Run: 1, Expires: expiry})
	raw, err := encoding.DecodeString(token)
	if err != nil {
		t.Fatal(err)
	}

	for bit := range len(raw) * 8 {
		flipped := append([]byte(nil), raw...)
		flipped[bit/8] ^= 1 << (bit % 8)
		wantRefused(t, fmt.Sprintf("bit %d flipped", bit), s, encoding.EncodeToString(flipped), now)
	}
	for bit := range len(token) * 8 {
		flipped := []byte(token)
		flipped[bit/8] ^= 1 << (bit % 8)
		wantRefused(t, fmt.Sprintf("bit %d of the text flipped", bit), s, string(flipped), now)
	}
	for n := range token {
		wantRefused(t, fmt.Sprintf("cut to %d characters", n), s, token[:n], now)
		wantRefused(t, fmt.Sprintf("without its first %d characters", n+1), s, token[n+1:], now)
	}
	for n := range raw {
		wantRefused(t, fmt.Sprintf("cut to %d bytes", n), s, encoding.EncodeToString(raw[:n]), now)
	}
	for _, suffix := range []string{"=", "A", "\n", "\r\n", " ", "/", "%00", token} {
		wantRefused(t, fmt.Sprintf("with %q behind", suffix), s, token+suffix, now)
		wantRefused(t, fmt.Sprintf("with %q before", suffix), s, suffix+token, now)
	}
	// base64 decoders skip line breaks, so the text could be changed unnoticed.
	wantRefused(t, "a line break in place of the end", s, token[:TokenSize-1]+"\n", now)
	wantRefused(t, "very long", s, strings.Repeat("A", 10_000), now)
	wantRefused(t, "empty", s, "", now)
}

func TestSealer_RefusesWhatBelongsElsewhere(t *testing.T) {
	t.Parallel()
	key, now := GenerateKey("k1"), expiry.Add(-time.Hour)
	s := sealer(t, "prod-", key)
	id := uuid.MustParse(importID)

	if _, err := s.Open(s.seal(version, kindWebForm, id, 1, expiry.Unix()), now); err != nil {
		t.Fatalf("the token that the others differ from: %v", err)
	}
	wantRefused(t, "another version", s, s.seal(version+1, kindWebForm, id, 1, expiry.Unix()), now)
	wantRefused(t, "another kind", s, s.seal(version, kindWebForm+1, id, 1, expiry.Unix()), now)
	wantRefused(t, "an expiry before 1970", s, s.seal(version, kindWebForm, id, 1, -1), now)
	for _, environment := range []string{"", "prod", "prod-2", "test-"} {
		other := sealer(t, environment, key)
		wantRefused(t, "environment "+environment, s, seal(t, other, Token{ImportID: importID, Run: 1, Expires: expiry}), now)
	}
	wantRefused(t, "another key with the same id", s, seal(t, sealer(t, "prod-", GenerateKey("k1")), Token{ImportID: importID, Run: 1, Expires: expiry}), now)
	wantRefused(t, "a key that is not known", s, seal(t, sealer(t, "prod-", GenerateKey("k2")), Token{ImportID: importID, Run: 1, Expires: expiry}), now)
}

func TestSealer_KeysRotate(t *testing.T) {
	t.Parallel()
	old, next, now := GenerateKey("a"), GenerateKey("b"), expiry.Add(-time.Hour)
	want := Token{ImportID: importID, Run: 1, Expires: expiry}
	before := sealer(t, "", old)
	added := sealer(t, "", old+","+next)
	moved := sealer(t, "", next+","+old)
	after := sealer(t, "", next)

	// Neighbouring steps run side by side during a rollout.
	for _, c := range []struct {
		name       string
		seal, open *Sealer
	}{
		{"added opens before", before, added}, {"before opens added", added, before},
		{"moved opens added", added, moved}, {"added opens moved", moved, added},
		{"after opens moved", moved, after}, {"moved opens after", after, moved},
	} {
		if got, err := c.open.Open(seal(t, c.seal, want), now); err != nil || got != want {
			t.Errorf("%s: got %v, %v; want %v", c.name, got, err, want)
		}
	}
	wantRefused(t, "a key that was taken out", after, seal(t, before, want), now)
}

func TestSealer_SealRefuses(t *testing.T) {
	t.Parallel()
	s := sealer(t, "", GenerateKey("k1"))
	for name, token := range map[string]Token{
		"no import id":            {Run: 1, Expires: expiry},
		"an upper-case import id": {ImportID: strings.ToUpper(importID), Run: 1, Expires: expiry},
		"an import id in braces":  {ImportID: "{" + importID + "}", Run: 1, Expires: expiry},
		"no run":                  {ImportID: importID, Expires: expiry},
		"a run that does not fit": {ImportID: importID, Run: math.MaxUint16 + 1, Expires: expiry},
		"no expiry":               {ImportID: importID, Run: 1},
	} {
		if got, err := s.Seal(token); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}

func TestNew_Refuses(t *testing.T) {
	t.Parallel()
	a, err := ParseKeys(GenerateKey("a"))
	if err != nil {
		t.Fatal(err)
	}
	for name, keys := range map[string][]Key{
		"no key":        nil,
		"an empty key":  {{}},
		"one key twice": {a[0], a[0]},
	} {
		if _, err := New(keys, ""); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

// fuzzKey is an entry for ParseKeys that is the same in every process, as seeds
// must be.
func fuzzKey() string {
	secret := sha256.Sum256([]byte("a key for fuzzing"))
	return "k1:" + base64.StdEncoding.EncodeToString(secret[:])
}

// sealedBefore was sealed with fuzzKey, for "fuzz-": every release opens it.
const sealedBefore = "AWsxAAANmtb6SGB3XASM1fRkqprO-L5x7UF1xjOMASgVoyVFQkKp4rSxTjbbNl3svNidvWRt7bu_4_k8"

// Whatever opens was sealed by us: nothing that is made up opens, nor anything
// that was changed.
func FuzzSealer_Open(f *testing.F) {
	for i, seed := range []string{
		sealedBefore, "", "AQ", sealedBefore[:TokenSize-1], sealedBefore + "=", sealedBefore[:TokenSize-1] + "9", strings.ToLower(sealedBefore),
		strings.Repeat("A", TokenSize), strings.Repeat("_", TokenSize), "AWsxAAA" + sealedBefore[7:], "AWsyAAA" + sealedBefore[7:],
		sealedBefore[:40] + "\n" + sealedBefore[40:], strings.Repeat("\n", TokenSize), strings.Repeat("é", TokenSize/2),
	} {
		f.Add(seed, uint16(0), byte(1<<(i%8)))
		f.Add(sealedBefore, uint16(i*4), byte(1<<(i%8)))
	}
	s := sealer(f, "fuzz-", fuzzKey())
	now := expiry.Add(-time.Hour)
	raw, err := encoding.DecodeString(sealedBefore)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, token string, at uint16, flip byte) {
		if token != sealedBefore {
			wantRefused(t, token, s, token, now)
		} else if got, err := s.Open(token, now); err != nil || got != (Token{ImportID: importID, Run: 1, Expires: expiry}) {
			t.Errorf("a token of an earlier release: got %v, %v", got, err)
		}
		if flip != 0 {
			changed := slices.Clone(raw)
			changed[int(at)%len(raw)] ^= flip
			wantRefused(t, fmt.Sprintf("byte %d changed by %x", int(at)%len(raw), flip), s, encoding.EncodeToString(changed), now)
		}
	})
}

// Every token that is sealed opens to the same until it expires, and neither
// afterwards nor elsewhere.
func FuzzSealer_Seal(f *testing.F) {
	f.Add(importID, 1, int64(1), "")
	f.Add(uuid.Max.String(), math.MaxUint16, expiry.Unix(), "prod-")
	f.Add(strings.ToUpper(importID), 1, expiry.Unix(), "prod-")
	f.Add("{"+importID+"}", 1, expiry.Unix(), "prod-")
	f.Add(importID, math.MaxUint16+1, expiry.Unix(), "\x00")
	f.Add(importID, 0, expiry.Unix(), "")
	f.Add(importID, 1, int64(0), "")
	f.Fuzz(func(t *testing.T, id string, run int, expires int64, environment string) {
		s := sealer(t, environment, fuzzKey())
		want := Token{ImportID: id, Run: run, Expires: time.Unix(expires%(1<<40), 0).UTC()}
		token, err := s.Seal(want)
		parsed, idErr := uuid.Parse(id)
		good := idErr == nil && parsed.String() == id && 1 <= run && run <= math.MaxUint16 && want.Expires.Unix() > 0
		if (err == nil) != good {
			t.Fatalf("Seal(%v): got %v, want it sealed: %t", want, err, good)
		}
		if err != nil {
			return
		}
		if len(token) != TokenSize || url.PathEscape(token) != token {
			t.Errorf("token %q cannot stand in a path", token)
		}
		last := want.Expires.Add(-time.Second)
		if got, err := s.Open(token, last); err != nil || got != want {
			t.Errorf("got %v, %v, want %v", got, err, want)
		}
		wantRefused(t, "at its expiry", s, token, want.Expires)
		wantRefused(t, "elsewhere", sealer(t, environment+"x", fuzzKey()), token, last)
	})
}

func BenchmarkSealer_Open(b *testing.B) {
	s := sealer(b, "prod-", GenerateKey("k1"))
	valid := seal(b, s, Token{ImportID: importID, Run: 1, Expires: expiry})
	forged := seal(b, sealer(b, "prod-", GenerateKey("k2")), Token{ImportID: importID, Run: 1, Expires: expiry})
	for name, token := range map[string]string{"valid": valid, "forged": forged, "short": valid[1:]} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s.Open(token, expiry.Add(-time.Hour))
			}
		})
	}
}
