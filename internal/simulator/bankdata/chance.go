package bankdata

// chance is a stream of decisions that is the same for the same seed. It is
// splitmix64: cheap enough to start anew for every row, so that a row does not
// depend on the rows before it.
type chance struct{ state uint64 }

const golden = 0x9E3779B97F4A7C15

// chanceOf starts a stream for one thing, e.g. row 7 of account 2 of bank 280001.
func chanceOf(parts ...uint64) chance {
	c := chance{}
	for _, p := range parts {
		c.state = c.next() ^ p
	}
	return c
}

func (c *chance) next() uint64 {
	c.state += golden
	z := c.state
	z = (z ^ z>>30) * 0xBF58476D1CE4E5B9
	z = (z ^ z>>27) * 0x94D049BB133111EB
	return z ^ z>>31
}

// below is a number from 0 to n-1. Its tiny bias does not matter here.
func (c *chance) below(n int) int { return int(c.next() % uint64(n)) }

// between is a number from lo to hi, both included.
func (c *chance) between(lo, hi int) int { return lo + c.below(hi-lo+1) }
