package realkafka

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

const (
	// HomeVariable names the directory whose libs folder holds the broker's
	// jars. The default is .cache/kafka beside go.mod. An unpacked Apache
	// Kafka has the same layout.
	HomeVariable = "BANKIMPORT_TEST_KAFKA_HOME"

	// KafkaVariable selects the broker that tests run on: "docker" a container,
	// "jars" this package's process, "real" a container where a Docker engine
	// answers and else the process; nothing or "kfake" the embedded one.
	KafkaVariable = "BANKIMPORT_TEST_KAFKA"

	// Version of the broker that the tests were written for (see pom.xml).
	Version = "4.4.0"
)

// Selected says whether tests are to run on a real broker.
func Selected(getenv func(string) string) bool {
	switch getenv(KafkaVariable) {
	case "real", "docker", "jars":
		return true
	default:
		return false
	}
}

// classpath returns the Java class path of the broker in home.
func classpath(home string) (string, error) {
	jar := filepath.Join(home, "libs", "kafka_2.13-"+Version+".jar")
	if _, err := os.Stat(jar); err != nil {
		return "", fmt.Errorf("no Kafka %s in %s: run \"make kafka-jars\" (it needs Maven), or let %s name a directory with libs/%s: %w",
			Version, home, HomeVariable, filepath.Base(jar), err)
	}
	return filepath.Join(home, "libs", "*"), nil
}

// defaultHome is .cache/kafka in the module that the working directory is in.
func defaultHome(getenv func(string) string) (string, error) {
	if home := getenv(HomeVariable); home != "" {
		return home, nil
	}
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("find the Kafka jars: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return filepath.Join(dir, ".cache", "kafka"), nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", fmt.Errorf("find the Kafka jars: no go.mod above the working directory, and %s is not set", HomeVariable)
		}
		dir = parent
	}
}

// java returns the Java launcher: JAVA_HOME's where it is set, else the one in PATH.
func java(getenv func(string) string) (string, error) {
	if home := getenv("JAVA_HOME"); home != "" {
		launcher := filepath.Join(home, "bin", "java")
		if _, err := os.Stat(launcher); err != nil {
			return "", fmt.Errorf("JAVA_HOME has no Java: unset it or let it name a Java 17 or newer: %w", err)
		}
		return launcher, nil
	}
	launcher, err := exec.LookPath("java")
	if errors.Is(err, exec.ErrNotFound) {
		return "", errors.New("no java in PATH: install a Java 17 or newer (Debian: apt-get install openjdk-17-jre-headless), or set JAVA_HOME")
	}
	if err != nil {
		return "", fmt.Errorf("find java: %w", err)
	}
	return launcher, nil
}
