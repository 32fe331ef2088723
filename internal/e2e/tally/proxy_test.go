//go:build realkafka

package main

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kmsg"
)

// proxy stands at the broker's advertised address, so everybody goes through
// it: clients, and the broker where it writes the markers of transactions. It
// breaks what a broker cannot be asked to break.
type proxy struct {
	listener net.Listener
	target   string // the broker

	// lose is how many answers to EndTxn are still to be lost after the broker
	// has acted: the connection breaks instead.
	lose atomic.Int64
	// spoil is how many answers to EndTxn are still to say UNKNOWN_SERVER_ERROR.
	spoil atomic.Int64
	// late is the topic whose markers have to wait; the others go through.
	late atomic.Pointer[string]
	held atomic.Int64 // how often a marker was told to wait
	// heartbeats says that members do not get to say that they live, nor hear
	// that they do not.
	heartbeats gate
}

// newProxy listens for a broker at target.
func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target}
	var serving sync.WaitGroup
	var open sync.Map // net.Conn → nothing
	serving.Go(func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			open.Store(client, nil)
			serving.Go(func() {
				p.serve(client)
				open.Delete(client)
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		open.Range(func(c, _ any) bool { c.(net.Conn).Close(); return true })
		serving.Wait()
	})
	return p
}

func (p *proxy) addr() string { return p.listener.Addr().String() }

// answer is what becomes of one answer; nil means that it goes on as it is, and
// an error breaks the connection.
type answer func([]byte) ([]byte, error)

var errLose = errors.New("this answer gets lost")

func (p *proxy) serve(client net.Conn) {
	defer client.Close()
	broker, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer broker.Close()
	var mu sync.Mutex // guards special and writing to the client
	special := make(map[uint32]answer)
	go func() {
		defer client.Close()
		defer broker.Close()
		for {
			b, err := readFrame(broker)
			if err != nil {
				return
			}
			mu.Lock()
			id := binary.BigEndian.Uint32(b[4:])
			change := special[id]
			delete(special, id)
			if change != nil {
				b, err = change(b)
			}
			if err == nil {
				_, err = client.Write(b)
			}
			mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	for {
		b, err := readFrame(client)
		if err != nil {
			return
		}
		b, change, direct := p.request(b)
		if change != nil {
			mu.Lock()
			special[binary.BigEndian.Uint32(b[8:])] = change
			mu.Unlock()
		}
		if direct {
			mu.Lock()
			answer, err := change(nil)
			if err == nil {
				_, err = client.Write(answer)
			}
			mu.Unlock()
			if err != nil {
				return
			}
			continue
		}
		if _, err := broker.Write(b); err != nil {
			return
		}
	}
}

// readFrame reads a request or an answer with its length before it.
func readFrame(r io.Reader) ([]byte, error) {
	var size [4]byte
	if _, err := io.ReadFull(r, size[:]); err != nil {
		return nil, err
	}
	n := binary.BigEndian.Uint32(size[:])
	if n < 4 || n > 200<<20 {
		return nil, fmt.Errorf("a frame of %d bytes", n)
	}
	b := make([]byte, 4+n)
	copy(b, size[:])
	_, err := io.ReadFull(r, b[4:])
	return b, err
}

// request decides about a request: what goes to the broker, what becomes of the
// answer, and whether the proxy answers in the broker's place.
func (p *proxy) request(b []byte) (_ []byte, change answer, direct bool) {
	switch kmsg.Key(binary.BigEndian.Uint16(b[4:])) {
	case kmsg.EndTxn:
		if take(&p.lose) {
			return b, func([]byte) ([]byte, error) { return nil, errLose }, false
		}
		if take(&p.spoil) {
			return b, func(b []byte) ([]byte, error) {
				// length 4, correlation id 4, tags 1, throttle 4, error code
				binary.BigEndian.PutUint16(b[13:], 0xffff)
				return b, nil
			}, false
		}
	case kmsg.Heartbeat:
		p.heartbeats.pass()
	case kmsg.WriteTxnMarkers:
		if late := p.late.Load(); late != nil {
			return p.markers(b, *late)
		}
	}
	return b, nil, false
}

// gate is open unless it is shut.
type gate struct {
	mu   sync.Mutex
	shut chan struct{} // nil: open
}

func (g *gate) pass() {
	g.mu.Lock()
	shut := g.shut
	g.mu.Unlock()
	if shut != nil {
		<-shut
	}
}

// close shuts the gate until the function that it returns is called.
func (g *gate) close() (open func()) {
	shut := make(chan struct{})
	g.mu.Lock()
	defer g.mu.Unlock()
	g.shut = shut
	return sync.OnceFunc(func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		g.shut = nil
		close(shut)
	})
}

func take(n *atomic.Int64) bool {
	for {
		left := n.Load()
		if left <= 0 {
			return false
		}
		if n.CompareAndSwap(left, left-1) {
			return true
		}
	}
}

// markers takes the late topic out of a request, and says of it that its leader
// is elsewhere: the coordinator then tries again.
func (p *proxy) markers(b []byte, late string) (_ []byte, change answer, direct bool) {
	version := int16(binary.BigEndian.Uint16(b[6:]))
	id := slices.Clone(b[8:12])
	header := 14 + int(max(int16(binary.BigEndian.Uint16(b[12:])), 0)) + 1 // to the end of the client id, and no tags
	req := kmsg.NewPtrWriteTxnMarkersRequest()
	req.Version = version
	if err := req.ReadFrom(b[header:]); err != nil {
		panic(fmt.Sprintf("WriteTxnMarkers version %d: %v", version, err))
	}
	waiting := kmsg.NewPtrWriteTxnMarkersResponse()
	waiting.Version = version
	var rest []kmsg.WriteTxnMarkersRequestMarker
	for _, m := range req.Markers {
		keep := m
		keep.Topics = nil
		said := kmsg.NewWriteTxnMarkersResponseMarker()
		said.ProducerID = m.ProducerID
		for _, t := range m.Topics {
			if t.Topic != late {
				keep.Topics = append(keep.Topics, t)
				continue
			}
			p.held.Add(1)
			st := kmsg.NewWriteTxnMarkersResponseMarkerTopic()
			st.Topic = t.Topic
			for _, partition := range t.Partitions {
				sp := kmsg.NewWriteTxnMarkersResponseMarkerTopicPartition()
				sp.Partition, sp.ErrorCode = partition, kerr.NotLeaderForPartition.Code
				st.Partitions = append(st.Partitions, sp)
			}
			said.Topics = append(said.Topics, st)
		}
		if len(keep.Topics) > 0 {
			rest = append(rest, keep)
		}
		if len(said.Topics) > 0 {
			waiting.Markers = append(waiting.Markers, said)
		}
	}
	if len(waiting.Markers) == 0 {
		return b, nil, false
	}
	frame := func(head []byte, body []byte) []byte {
		out := binary.BigEndian.AppendUint32(nil, uint32(len(head)+len(body)))
		return append(append(out, head...), body...)
	}
	if len(rest) == 0 {
		time.Sleep(20 * time.Millisecond) // the coordinator asks again at once
		return b, func([]byte) ([]byte, error) { return frame(append(id, 0), waiting.AppendTo(nil)), nil }, true
	}
	req.Markers = rest
	change = func(answer []byte) ([]byte, error) {
		resp := kmsg.NewPtrWriteTxnMarkersResponse()
		resp.Version = version
		if err := resp.ReadFrom(answer[9:]); err != nil {
			return nil, err
		}
		for _, w := range waiting.Markers {
			i := slices.IndexFunc(resp.Markers, func(m kmsg.WriteTxnMarkersResponseMarker) bool { return m.ProducerID == w.ProducerID })
			if i < 0 {
				resp.Markers = append(resp.Markers, w)
			} else {
				resp.Markers[i].Topics = append(resp.Markers[i].Topics, w.Topics...)
			}
		}
		return frame(append(id, 0), resp.AppendTo(nil)), nil
	}
	return frame(b[4:header], req.AppendTo(nil)), change, false
}
