package docker

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/ory/dockertest/v3"
	dc "github.com/ory/dockertest/v3/docker"

	"github.com/bankimport/bankimport/internal/realkafka"
)

const (
	// ImageVariable names the image, with its tag, that brokers are started from.
	ImageVariable = "BANKIMPORT_TEST_KAFKA_IMAGE"

	// DefaultImage is the one that the Kafka project publishes.
	DefaultImage = "apache/kafka:" + realkafka.Version
)

// splitImage splits the name into what dockertest wants: they are put together
// again with a colon, which also fits a digest.
func splitImage(name string) (repository, tag string) {
	colon := strings.LastIndex(name, ":")
	if colon < 0 || strings.Contains(name[colon:], "/") { // a registry's port
		return name, "latest"
	}
	return name[:colon], name[colon+1:]
}

// ensureImage pulls the image where it is missing. dockertest would do that too,
// but without an end.
func ensureImage(ctx context.Context, pool *dockertest.Pool, name string) error {
	_, err := pool.Client.InspectImage(name)
	if errors.Is(err, dc.ErrNoSuchImage) {
		err = pool.Client.PullImage(dc.PullImageOptions{Repository: name, Context: ctx}, dc.AuthConfiguration{})
	}
	if err != nil {
		return fmt.Errorf("get the image %s: %w (let %s name one that is there, build one with internal/realkafka/image/build.sh, or set %s=jars)",
			name, err, ImageVariable, realkafka.KafkaVariable)
	}
	return nil
}
