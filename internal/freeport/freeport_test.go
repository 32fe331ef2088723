package freeport_test

import (
	"net"
	"testing"

	"github.com/bankimport/bankimport/internal/freeport"
)

func TestAddrs(t *testing.T) {
	t.Parallel()
	addrs, err := freeport.Addrs(50)
	if err != nil {
		t.Fatal(err)
	}
	for _, addr := range addrs { // all at once, so that they differ
		l, err := net.Listen("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
	if len(addrs) != 50 {
		t.Errorf("got %d addresses, want 50", len(addrs))
	}
}
