package callback

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"time"

	"github.com/google/uuid"
)

const (
	version     = 1
	kindWebForm = 1 // what a token is for; another purpose gets another kind

	nonceSize  = 12
	tagSize    = 16
	headSize   = 1 + maxIDSize
	plainSize  = 1 + 16 + 2 + 8
	sealedSize = nonceSize + plainSize + tagSize

	// TokenSize is the number of characters of every token.
	TokenSize = (headSize + sealedSize) * 4 / 3
)

// ErrRefused is the one answer of [Sealer.Open] to every token that does not
// count, whatever the reason: who sends one learns nothing from it.
var ErrRefused = errors.New("callback token refused")

var encoding = base64.RawURLEncoding.Strict()

// Token is what a token says.
type Token struct {
	ImportID string    // lower-case UUID
	Run      int       // 1 to 65,535
	Expires  time.Time // from then on the token is refused; kept in whole seconds
}

// Sealer makes and opens tokens. It is safe for concurrent use.
type Sealer struct {
	primary Key
	keys    map[keyID]Key
	// environment is the end of what is authenticated besides the token.
	environment string
}

// New returns a sealer that seals with the first key and opens with all of
// them. The environment is any text; tokens open only where it is the same.
func New(keys []Key, environment string) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("callback: no key")
	}
	s := &Sealer{primary: keys[0], keys: make(map[keyID]Key, len(keys)), environment: environment}
	for _, key := range keys {
		if key.aead == nil {
			return nil, errors.New("callback: a key is empty; use ParseKeys")
		}
		if _, taken := s.keys[key.id]; taken {
			return nil, fmt.Errorf("callback: two keys have the id %s", key.ID())
		}
		s.keys[key.id] = key
	}
	return s, nil
}

// Seal returns t as a token of [TokenSize] characters that may stand in a URL
// as they are. Two tokens for the same t differ.
func (s *Sealer) Seal(t Token) (string, error) {
	id, err := uuid.Parse(t.ImportID)
	switch {
	case err != nil || id.String() != t.ImportID:
		return "", errors.New("seal callback token: the import id is not a lower-case UUID")
	case t.Run < 1 || t.Run > math.MaxUint16:
		return "", fmt.Errorf("seal callback token: run is %d, want 1 to %d", t.Run, math.MaxUint16)
	case t.Expires.Unix() <= 0:
		return "", errors.New("seal callback token: it has no expiry")
	}
	return s.seal(version, kindWebForm, id, uint16(t.Run), t.Expires.Unix()), nil
}

func (s *Sealer) seal(version, kind byte, id uuid.UUID, run uint16, expires int64) string {
	plain := make([]byte, 0, plainSize)
	plain = append(plain, kind)
	plain = append(plain, id[:]...)
	plain = binary.BigEndian.AppendUint16(plain, run)
	plain = binary.BigEndian.AppendUint64(plain, uint64(expires))

	token := make([]byte, 0, headSize+sealedSize)
	token = append(token, version)
	token = append(token, s.primary.id[:]...)
	token = s.primary.aead.Seal(token, nil, plain, s.associated(token))
	return encoding.EncodeToString(token)
}

// Open returns what a token says, or [ErrRefused] when it is no token of ours
// for this environment or not valid any more at the time now.
func (s *Sealer) Open(token string, now time.Time) (Token, error) {
	// The length first: it bounds the work, and base64 skips line breaks.
	if len(token) != TokenSize {
		return Token{}, ErrRefused
	}
	raw, err := encoding.DecodeString(token)
	if err != nil || len(raw) != headSize+sealedSize || raw[0] != version {
		return Token{}, ErrRefused
	}
	head, sealed := raw[:headSize], raw[headSize:]
	key, known := s.keys[keyID(head[1:])]
	if !known {
		// It cannot open, the id is authenticated too, but it takes as long as
		// a token with a known id: timing tells nothing about our keys.
		key = s.primary
	}
	plain, err := key.aead.Open(nil, nil, sealed, s.associated(head))
	if err != nil || len(plain) != plainSize || plain[0] != kindWebForm {
		return Token{}, ErrRefused
	}
	t := Token{
		ImportID: uuid.UUID(plain[1:17]).String(),
		Run:      int(binary.BigEndian.Uint16(plain[17:19])),
		Expires:  time.Unix(int64(binary.BigEndian.Uint64(plain[19:27])), 0).UTC(),
	}
	if !now.Before(t.Expires) {
		return Token{}, ErrRefused
	}
	return t, nil
}

// associated is what is authenticated with a token: its head and where it
// belongs. It copies, because head may have room behind it.
func (s *Sealer) associated(head []byte) []byte {
	const purpose = "callback/v1/"
	data := make([]byte, 0, headSize+len(purpose)+len(s.environment))
	data = append(data, head...)
	data = append(data, purpose...)
	return append(data, s.environment...)
}
