package callback

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"log/slog"
	"strings"
)

const (
	keySize   = 32 // AES-256
	maxIDSize = 4
	maxKeys   = 16

	// A random key of 32 bytes has about 30 different ones; one with fewer
	// than 20 was typed by somebody.
	minDistinctBytes = 20
)

// Key seals and opens tokens. [ParseKeys] makes it. It prints as its id alone.
type Key struct {
	id keyID
	// The key itself is kept only inside the cipher, behind pointers, so that
	// no way of printing a Key or what holds it shows the key.
	aead cipher.AEAD
}

// keyID is the id as a token carries it: text, filled up with zero bytes.
type keyID [maxIDSize]byte

func (id keyID) String() string { return strings.TrimRight(string(id[:]), "\x00") }

// ID returns the id of the key. It is no secret: every token carries it.
func (k Key) ID() string { return k.id.String() }

func (k Key) String() string       { return "callback key " + k.ID() }
func (k Key) GoString() string     { return k.String() }
func (k Key) LogValue() slog.Value { return slog.StringValue(k.String()) }

// GenerateKey returns a new random key as one entry for [ParseKeys].
func GenerateKey(id string) string {
	var secret [keySize]byte
	rand.Read(secret[:]) // never fails
	return id + ":" + base64.StdEncoding.EncodeToString(secret[:])
}

// ParseKeys reads a list "id:key,id:key": the id is 1 to 4 letters or digits,
// the key 32 random bytes in base64 (either alphabet, padding or not). The
// first key seals, all of them open. It reports everything that is wrong with
// the list at once; the errors name entries by their position and quote
// nothing of them.
func ParseKeys(list string) ([]Key, error) {
	if strings.TrimSpace(list) == "" {
		return nil, errors.New("is empty: want a list id:key,id:key; " + howToMake)
	}
	entries := strings.Split(list, ",")
	if len(entries) > maxKeys {
		return nil, fmt.Errorf("has %d entries, at most %d are possible", len(entries), maxKeys)
	}
	keys := make([]Key, 0, len(entries))
	ids := make(map[keyID]int)             // id → position of the entry that has it
	secrets := make(map[[keySize]byte]int) // key → position of the entry that has it
	var errs []error
	for i, entry := range entries {
		position := i + 1
		id, secret, err := parseEntry(strings.TrimSpace(entry))
		if err != nil {
			errs = append(errs, fmt.Errorf("entry %d %w", position, err))
			continue
		}
		if other, taken := ids[id]; taken {
			errs = append(errs, fmt.Errorf("entries %d and %d have the same id", other, position))
		}
		if other, taken := secrets[secret]; taken {
			errs = append(errs, fmt.Errorf("entries %d and %d have the same key", other, position))
		}
		ids[id], secrets[secret] = position, position
		key, err := newKey(id, secret)
		if err != nil {
			return nil, err
		}
		keys = append(keys, key)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return keys, nil
}

const howToMake = "make a key with: openssl rand -base64 32"

func parseEntry(entry string) (id keyID, secret [keySize]byte, err error) {
	name, encoded, found := strings.Cut(entry, ":")
	if !found {
		return id, secret, errors.New("has no ':': want id:key")
	}
	if name == "" || len(name) > maxIDSize || strings.ContainsFunc(name, notAlphanumeric) {
		return id, secret, errors.New("has a bad id: want 1 to 4 letters or digits before the ':'")
	}
	copy(id[:], name)
	raw, err := decodeBase64(encoded)
	if err != nil {
		return id, secret, errors.New("has a key that is not base64; " + howToMake)
	}
	if len(raw) != keySize {
		return id, secret, fmt.Errorf("has a key of %d bytes, want %d; %s", len(raw), keySize, howToMake)
	}
	copy(secret[:], raw)
	if guessable(secret) {
		return id, secret, errors.New("has a key that is not random; " + howToMake)
	}
	return id, secret, nil
}

func newKey(id keyID, secret [keySize]byte) (Key, error) {
	block, err := aes.NewCipher(secret[:])
	if err != nil {
		return Key{}, fmt.Errorf("prepare callback key: %w", err)
	}
	aead, err := cipher.NewGCMWithRandomNonce(block)
	if err != nil {
		return Key{}, fmt.Errorf("prepare callback key: %w", err)
	}
	return Key{id: id, aead: aead}, nil
}

func notAlphanumeric(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9')
}

// decodeBase64 takes both alphabets, with and without padding, as the tools
// that make keys differ.
func decodeBase64(s string) ([]byte, error) {
	s = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimSpace(s))
	return base64.RawStdEncoding.DecodeString(strings.TrimRight(s, "="))
}

// guessable reports keys that somebody wrote instead of drawing: placeholders,
// repeated bytes, text (a text of 32 hex digits has half the strength). A
// random key is all printable less than once in 10¹³.
func guessable(secret [keySize]byte) bool {
	var seen [256]bool
	distinct, text := 0, true
	for _, b := range secret {
		if !seen[b] {
			seen[b] = true
			distinct++
		}
		if b < ' ' || b > '~' {
			text = false
		}
	}
	return text || distinct < minDistinctBytes
}
