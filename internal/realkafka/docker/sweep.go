package docker

import (
	"context"
	"fmt"
	"time"

	"github.com/ory/dockertest/v3"
	dc "github.com/ory/dockertest/v3/docker"
)

// sweep removes the containers of tests that died before they could: the engine
// has killed them when their time was over, but keeps them.
func sweep(ctx context.Context, pool *dockertest.Pool) error {
	containers, err := pool.Client.ListContainers(dc.ListContainersOptions{
		All:     true,
		Filters: map[string][]string{"label": {label}},
		Context: ctx,
	})
	if err != nil {
		return fmt.Errorf("look for left containers: %w", err)
	}
	for _, c := range containers {
		until, err := time.Parse(time.RFC3339, c.Labels[label])
		if err != nil || time.Now().Before(until) {
			continue
		}
		// Another test may be at it. What stays, the next one tries again.
		_ = pool.Client.RemoveContainer(dc.RemoveContainerOptions{ID: c.ID, Force: true, RemoveVolumes: true, Context: ctx})
	}
	return nil
}
