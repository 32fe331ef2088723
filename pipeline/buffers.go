package pipeline

import (
	"sync"

	"github.com/twmb/franz-go/pkg/kgo"
)

// buffers lets the consumer use its memory for fetched records again and again:
// each record is copied as it is polled (inputOf), and then given back. What
// nobody has used for two garbage collections is freed. A very large piece is not
// kept: the client clears all of it each time. Methods may be called concurrently.
type buffers struct{ bytes, records sync.Pool }

// GetDecompressBytes implements [kgo.PoolDecompressBytes].
func (b *buffers) GetDecompressBytes([]byte, kgo.CompressionCodecType) []byte {
	if p, ok := b.bytes.Get().(*[]byte); ok {
		return *p
	}
	return nil
}

// PutDecompressBytes implements [kgo.PoolDecompressBytes].
func (b *buffers) PutDecompressBytes(p []byte) {
	if cap(p) <= maxBuffer {
		b.bytes.Put(&p)
	}
}

// GetRecords implements [kgo.PoolRecords].
func (b *buffers) GetRecords(n int) []kgo.Record {
	if p, ok := b.records.Get().(*[]kgo.Record); ok && cap(*p) >= n {
		return *p
	}
	return make([]kgo.Record, 0, n)
}

// PutRecords implements [kgo.PoolRecords].
func (b *buffers) PutRecords(p []kgo.Record) {
	if cap(p) <= maxRecords {
		b.records.Put(&p)
	}
}

// What is kept at most of one batch, which has 1 MB or less before it is
// decompressed, unless a topic's settings say otherwise.
const (
	maxBuffer  = 2 << 20 // bytes
	maxRecords = 10_000
)
