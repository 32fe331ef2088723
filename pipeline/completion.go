package pipeline

import (
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// A completion is what is finished of a partition: everything below base, and
// everything from base up to end that is not listed as unfinished. It travels
// in the metadata of the committed offset, so that records which finished
// ahead of an older, slower one are not handled again after a restart.
type completion struct {
	base       int64   // the offset to commit: the lowest unfinished one, or end
	end        int64   // one past the highest offset known
	unfinished []int64 // ascending, within [base, end)
}

const (
	metadataMagic = "pipeline/1"
	// metadataLimit is the broker's default offset.metadata.max.bytes.
	metadataLimit = 4096
	// mapLimit is what remains of it for the map, in bytes before base64: the
	// text before the map is at most 10+1+64+1+40+1+20+1+22+1 characters.
	mapLimit = (metadataLimit - 176) / 4 * 3
)

// metadata is the text committed beside an offset.
type metadata struct {
	instance string // who committed, for a person who reads it
	seq      string // unique per commit: tells whether a commit whose answer was lost took place
	topicID  [16]byte
	done     completion
}

var errForeignMetadata = errors.New("metadata of another program")

// encode renders m as
//
//	magic|instance|seq|base|topic id|map
//
// The map is run lengths: how many offsets from base on are unfinished, how
// many of the following are finished, and so on, as uvarints in base64url. The
// last finished run may be left open: it ends where end is.
func (m metadata) encode() (string, error) {
	if u := m.done.unfinished; len(u) > 0 && u[0] != m.done.base {
		return "", fmt.Errorf("completion map: base %d is not its first unfinished offset %d", m.done.base, u[0])
	}
	var b []byte
	next := m.done.base
	for u := m.done.unfinished; len(u) > 0; {
		if u[0] > next {
			b = binary.AppendUvarint(b, uint64(u[0]-next))
		}
		n := 1
		for n < len(u) && u[n] == u[0]+int64(n) {
			n++
		}
		b = binary.AppendUvarint(b, uint64(n))
		next, u = u[0]+int64(n), u[n:]
	}
	if len(m.done.unfinished) > 0 && m.done.end > next {
		b = binary.AppendUvarint(b, uint64(m.done.end-next))
	}
	s := strings.Join([]string{
		metadataMagic, m.instance, m.seq, strconv.FormatInt(m.done.base, 10),
		base64.RawURLEncoding.EncodeToString(m.topicID[:]), base64.RawURLEncoding.EncodeToString(b),
	}, "|")
	if len(s) > metadataLimit {
		return "", fmt.Errorf("completion map: %d characters of metadata, at most %d are possible", len(s), metadataLimit)
	}
	return s, nil
}

// decodeMetadata is the reverse of encode. It returns errForeignMetadata for
// text that some other program committed, and any other error for text of ours
// that cannot be read: then the partition must not be consumed, because
// finished records would be handled again.
func decodeMetadata(s string) (metadata, error) {
	f := strings.Split(s, "|")
	if f[0] != metadataMagic {
		if strings.HasPrefix(s, "pipeline/") {
			return metadata{}, fmt.Errorf("completion map: version %q was written by a newer release", f[0])
		}
		return metadata{}, errForeignMetadata
	}
	if len(f) != 6 {
		return metadata{}, fmt.Errorf("completion map: %d fields, want 6", len(f))
	}
	base, err := strconv.ParseInt(f[3], 10, 64)
	if err != nil || base < 0 {
		return metadata{}, errors.New("completion map: base is not an offset")
	}
	id, err := base64.RawURLEncoding.DecodeString(f[4])
	if err != nil || len(id) != 16 {
		return metadata{}, errors.New("completion map: topic id is not 16 bytes")
	}
	b, err := base64.RawURLEncoding.DecodeString(f[5])
	if err != nil {
		return metadata{}, errors.New("completion map: not base64")
	}
	m := metadata{instance: f[1], seq: f[2], topicID: [16]byte(id), done: completion{base: base, end: base}}
	for open := true; len(b) > 0; open = !open {
		n, l := binary.Uvarint(b)
		if l <= 0 || n == 0 || n > 1<<40 || open && n > metadataLimit*8 {
			return metadata{}, errors.New("completion map: a run length is damaged")
		}
		b = b[l:]
		if open {
			for i := range int64(n) {
				m.done.unfinished = append(m.done.unfinished, m.done.end+i)
			}
		}
		m.done.end += int64(n)
	}
	return m, nil
}

// mapBound is the most bytes the map can take while n records in a window of w
// offsets are unfinished, in whatever order they finish: every run of
// unfinished records costs one byte, and so does the finished run behind it,
// plus one more for each factor of 128 in its length. There can be at most
// w/128 finished runs of 128 or more, and so on.
func mapBound(n int, w int64) int {
	b := 2 * n
	for f := int64(128); f <= w; f *= 128 {
		b += int(min(int64(n), w/f))
	}
	return b
}
