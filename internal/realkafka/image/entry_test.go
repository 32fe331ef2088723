// Package image holds no Go but this test of the image's entry script.
package image

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// What the environment says becomes properties as in apache/kafka, and the
// data directory is formatted before the broker starts.
func TestEntry(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	properties := filepath.Join(dir, "server.properties")
	java := "#!/bin/sh\necho java \"$@\"\n"
	if err := os.WriteFile(filepath.Join(dir, "java"), []byte(java), 0o755); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "sh", "entry.sh")
	cmd.Env = []string{
		"PATH=" + dir + string(os.PathListSeparator) + os.Getenv("PATH"),
		"KAFKA_IMAGE_HOME=/k",
		"KAFKA_IMAGE_PROPERTIES=" + properties,
		"KAFKA_NODE_ID=1",
		"KAFKA_LISTENERS=PLAINTEXT://:1,CONTROLLER://:2",
		"KAFKA_A__B___C_D=x=y z",
		"KAFKA_EMPTY=",
		"KAFKA_HEAP_OPTS=-Xms1m -Xmx2m",
		"CLUSTER_ID=some-cluster",
		"OTHER=no property",
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}

	const jvm = "java -Xms1m -Xmx2m -XX:+UseSerialGC -Djava.awt.headless=true -Dlog4j2.configurationFile=/k/log4j2.properties -cp /k/libs/* "
	wantRun := jvm + "kafka.tools.StorageTool format --ignore-formatted -t some-cluster -c " + properties + "\n" +
		jvm + "kafka.Kafka " + properties + "\n"
	if got := string(out); got != wantRun {
		t.Errorf("it ran\n%s\nwant\n%s", got, wantRun)
	}
	written, err := os.ReadFile(properties)
	if err != nil {
		t.Fatal(err)
	}
	got := strings.Split(strings.TrimSpace(string(written)), "\n")
	slices.Sort(got)
	want := []string{"a_b-c.d=x=y z", "empty=", "listeners=PLAINTEXT://:1,CONTROLLER://:2", "node.id=1"}
	if !slices.Equal(got, want) {
		t.Errorf("got properties %q, want %q", got, want)
	}
}
