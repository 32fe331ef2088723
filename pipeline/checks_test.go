package pipeline

import "testing"

// TestPartitionCountsDiffer: the state of a key lives in its input partition.
func TestPartitionCountsDiffer(t *testing.T) {
	t.Parallel()
	c := newCluster(t)
	if _, err := c.admin().CreatePartitions(t.Context(), 1, c.prefix+"in"); err != nil {
		t.Fatal(err)
	}
	c.awaitTopic("in", testPartitions+1)
	c.start(handler{handle: count}).endsWith(c.prefix+"in has 4 partitions", c.prefix+c.stateTopic()+" has 3", "equal")
}
