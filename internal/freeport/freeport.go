// Package freeport finds ports for servers that tests start and that take an
// address, not a listener.
package freeport

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"strconv"
	"syscall"
)

// Ports to choose from: below those that systems give to outgoing connections (from
// 32768 on Linux, from 49152 elsewhere). One of those could be gone before anybody
// listens on it.
const (
	first = 10_000
	last  = 32_767
)

// Addrs returns n loopback addresses that nobody listened on a moment ago. The
// ports are drawn by lot, so two who ask at the same time hardly get the same.
func Addrs(n int) ([]string, error) {
	addrs := make([]string, 0, n)
	for tries := 0; len(addrs) < n; tries++ {
		l, err := net.Listen("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(first+rand.IntN(last-first+1))))
		switch {
		case errors.Is(err, syscall.EADDRINUSE) && tries < 1000:
			continue
		case err != nil:
			return nil, fmt.Errorf("find a free port: %w", err)
		}
		defer l.Close() // when all are known, so that they differ
		addrs = append(addrs, l.Addr().String())
	}
	return addrs, nil
}
