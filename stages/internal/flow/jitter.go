package flow

import (
	"hash/fnv"
	"strconv"
	"time"
)

// Jitter returns d, moved by up to a tenth either way. It needs no source of
// randomness: key and turn decide, and different imports spread.
func Jitter(d time.Duration, key string, turn int64) time.Duration {
	h := fnv.New32a()
	_, _ = h.Write([]byte(key))
	_, _ = h.Write([]byte(strconv.FormatInt(turn, 10))) // writing to a hash never fails
	share := float64(h.Sum32())/(1<<32)*2 - 1           // -1 to 1
	return d + time.Duration(share*float64(d)/10)
}
