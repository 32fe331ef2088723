package node

import "testing"

func TestProperties(t *testing.T) {
	t.Parallel()
	single := Layout{ID: 1, Nodes: 1, Advertised: "127.0.0.1:1", Listen: "0.0.0.0:1", Controller: "127.0.0.1:2", Data: "/data"}
	third := Layout{ID: 3, Nodes: 3}
	for _, tc := range []struct {
		name   string
		layout Layout
		want   map[string]string
	}{
		{"alone", single, map[string]string{
			"node.id":                       "1",
			"listeners":                     "PLAINTEXT://0.0.0.0:1,CONTROLLER://127.0.0.1:2",
			"advertised.listeners":          "PLAINTEXT://127.0.0.1:1",
			"log.dirs":                      "/data",
			"min.insync.replicas":           "1",
			"default.replication.factor":    "1",
			"transaction.state.log.min.isr": "1",
			"some.other":                    "more",
			"offsets.topic.num.partitions":  "7",
		}},
		{"one of three", third, map[string]string{
			"node.id":                                  "3",
			"min.insync.replicas":                      "2",
			"default.replication.factor":               "3",
			"offsets.topic.replication.factor":         "3",
			"transaction.state.log.replication.factor": "3",
			"transaction.state.log.min.isr":            "2",
		}},
	} {
		t.Run(tc.name, func(t *testing.T) {
			t.Parallel()
			got := tc.layout.Properties(map[string]string{"offsets.topic.num.partitions": "7", "some.other": "more"})
			for name, want := range tc.want {
				if got[name] != want {
					t.Errorf("%s: got %q, want %q", name, got[name], want)
				}
			}
		})
	}
}

func TestEnvName(t *testing.T) {
	t.Parallel()
	for property, want := range map[string]string{
		"log.dirs": "KAFKA_LOG_DIRS",
		"a_b-c.d":  "KAFKA_A__B___C_D",
	} {
		if got := EnvName(property); got != want {
			t.Errorf("%s: got %s, want %s", property, got, want)
		}
	}
}
