package realkafka

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestStart_NamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	jdk := t.TempDir()
	writeFile(t, filepath.Join(jdk, "bin", "java"))
	jars := t.TempDir()
	writeFile(t, filepath.Join(jars, "libs", "kafka_2.13-"+Version+".jar"))

	for _, tc := range []struct {
		name string
		cfg  Config
		env  map[string]string
		want string
	}{
		{
			name: "no Java where JAVA_HOME says",
			cfg:  Config{Home: jars, Dir: "unused"},
			env:  map[string]string{"JAVA_HOME": t.TempDir()},
			want: "JAVA_HOME has no Java",
		},
		{
			name: "no jars",
			cfg:  Config{Home: t.TempDir(), Dir: "unused"},
			env:  map[string]string{"JAVA_HOME": jdk},
			want: `run "make kafka-jars"`,
		},
		{
			name: "no jars where the variable says",
			cfg:  Config{Dir: "unused"},
			env:  map[string]string{"JAVA_HOME": jdk, HomeVariable: t.TempDir()},
			want: HomeVariable,
		},
		{
			name: "no directory",
			cfg:  Config{Home: jars},
			env:  map[string]string{"JAVA_HOME": jdk},
			want: "Config.Dir",
		},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			tc.cfg.Getenv = func(name string) string { return tc.env[name] }
			b, err := Start(t.Context(), tc.cfg)
			if err == nil {
				t.Fatalf("got a broker at %s, want an error", b.Addr())
			}
			if got := err.Error(); !strings.Contains(got, tc.want) {
				t.Errorf("got error %q, want it to contain %q", got, tc.want)
			}
		})
	}
}

func TestJava_NotInPath(t *testing.T) {
	t.Setenv("PATH", t.TempDir())
	got, err := java(func(string) string { return "" })
	if err == nil {
		t.Fatalf("got %q, want an error", got)
	}
	if want := "install a Java 17"; !strings.Contains(err.Error(), want) {
		t.Errorf("got error %q, want it to contain %q", err, want)
	}
}

func TestDefaultHome_IsBesideGoMod(t *testing.T) {
	root := t.TempDir()
	writeFile(t, filepath.Join(root, "go.mod"))
	inside := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(inside, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(inside)
	got, err := defaultHome(func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(root, ".cache", "kafka"); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestSelected(t *testing.T) {
	t.Parallel()
	for value, want := range map[string]bool{"": false, "kfake": false, "real": true, "docker": true, "jars": true} {
		got := Selected(func(name string) string { return map[string]string{KafkaVariable: value}[name] })
		if got != want {
			t.Errorf("%s=%q: got %v, want %v", KafkaVariable, value, got, want)
		}
	}
}

// The version stands in three places that cannot read each other.
func TestVersion_IsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"pom.xml":        "<version>" + Version + "</version>",
		"../../Makefile": "KAFKA_VERSION := " + Version + "\n",
	} {
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(got), want) {
			t.Errorf("%s: want it to contain %q", name, want)
		}
	}
}

func writeFile(t *testing.T, name string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}
