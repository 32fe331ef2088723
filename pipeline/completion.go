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
	// maxOffset is more than any topic gets to; runs behind it cannot overflow.
	maxOffset = 1 << 62
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
// The map is base64url of one byte that names its form, and the shorter of two:
// run lengths, which stay short while records finish nearly in order, or a bit
// for each offset, which no order makes longer.
func (m metadata) encode() (string, error) {
	if u := m.done.unfinished; len(u) > 0 && u[0] != m.done.base {
		return "", fmt.Errorf("completion map: base %d is not its first unfinished offset %d", m.done.base, u[0])
	}
	var b []byte
	if len(m.done.unfinished) > 0 {
		b = m.done.runs([]byte{mapRuns})
		if bits := m.done.bits([]byte{mapBits}); len(bits) < len(b) {
			b = bits
		}
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

// The forms of a map.
const (
	mapRuns = 'r'
	mapBits = 'b'
)

// runs appends how many offsets from base on are unfinished, how many of the
// following are finished, and so on, as uvarints. A last finished run ends at
// end.
func (c completion) runs(b []byte) []byte {
	next := c.base
	for u := c.unfinished; len(u) > 0; {
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
	if c.end > next {
		b = binary.AppendUvarint(b, uint64(c.end-next))
	}
	return b
}

// bits appends how many offsets there are from base to end, as a uvarint, and a
// bit for each: 1 is unfinished.
func (c completion) bits(b []byte) []byte {
	window := c.end - c.base
	if window > 8*metadataLimit {
		return append(b, make([]byte, metadataLimit)...) // never the shorter one
	}
	b = binary.AppendUvarint(b, uint64(window))
	at := len(b)
	b = append(b, make([]byte, (window+7)/8)...)
	for _, o := range c.unfinished {
		b[at+int((o-c.base)/8)] |= 1 << ((o - c.base) % 8)
	}
	return b
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
	if err != nil || base < 0 || base > maxOffset {
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
	if len(b) == 0 {
		return m, nil
	}
	read := m.done.readRuns
	switch b[0] {
	case mapRuns:
	case mapBits:
		read = m.done.readBits
	default:
		return metadata{}, errors.New("completion map: of a form that is not known here, written by a newer release")
	}
	if m.done, err = read(b[1:]); err != nil {
		return metadata{}, err
	}
	return m, nil
}

func (c completion) readRuns(b []byte) (completion, error) {
	for open := true; len(b) > 0; open = !open {
		n, l := binary.Uvarint(b)
		if l <= 0 || n == 0 || n > 1<<40 || open && n > uint64(metadataLimit*8-len(c.unfinished)) {
			return c, errors.New("completion map: a run length is damaged")
		}
		b = b[l:]
		if open {
			for i := range int64(n) {
				c.unfinished = append(c.unfinished, c.end+i)
			}
		}
		c.end += int64(n)
	}
	return c, nil
}

func (c completion) readBits(b []byte) (completion, error) {
	window, l := binary.Uvarint(b)
	if l <= 0 || window > 8*metadataLimit || uint64(len(b)-l) != (window+7)/8 {
		return c, errors.New("completion map: its bits are damaged")
	}
	b = b[l:]
	for i := range int64(window) {
		if b[i/8]&(1<<(i%8)) != 0 {
			c.unfinished = append(c.unfinished, c.base+i)
		}
	}
	c.end = c.base + int64(window)
	if len(c.unfinished) == 0 || c.unfinished[0] != c.base {
		return c, errors.New("completion map: its first offset is not unfinished")
	}
	return c, nil
}

// mapBound is the most bytes the map can take while n records in a window of w
// offsets are unfinished, in whatever order they finish. As runs, every run of
// unfinished records costs one byte, and so does the finished run behind it,
// plus one more for each factor of 128 in its length; there can be at most
// w/128 finished runs of 128 or more, and so on. As bits, it is the window.
func mapBound(n int, w int64) int {
	runs := 2 * n
	for f := int64(128); f <= w; f *= 128 {
		runs += int(min(int64(n), w/f))
	}
	bits := (w+7)/8 + 3 // and the length of the window
	return 1 + int(min(int64(runs), bits))
}
