package node

import (
	"maps"
	"strconv"
	"strings"
)

// Layout is where one node, which is broker and controller, has its place among
// the nodes of its cluster.
type Layout struct {
	// ID of the node, from 1.
	ID int
	// Nodes of the cluster, 1 or 3.
	Nodes int
	// Advertised is the address at which clients and other nodes find it.
	Advertised string
	// Listen and Controller are the addresses it listens on.
	Listen, Controller string
	// Data is its data directory.
	Data string
}

// Properties of the node. Which controllers there are is not among them: that
// depends on how its data directory is formatted. What is in more is added or
// replaces.
//
// Internal topics get few partitions: a test waits for each of them to be created.
func (l Layout) Properties(more map[string]string) map[string]string {
	replicas, inSync := strconv.Itoa(l.Nodes), "1"
	if l.Nodes > 1 {
		inSync = strconv.Itoa(l.Nodes - 1)
	}
	p := map[string]string{
		"process.roles":                            "broker,controller",
		"node.id":                                  strconv.Itoa(l.ID),
		"listeners":                                "PLAINTEXT://" + l.Listen + ",CONTROLLER://" + l.Controller,
		"advertised.listeners":                     "PLAINTEXT://" + l.Advertised,
		"controller.listener.names":                "CONTROLLER",
		"listener.security.protocol.map":           "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
		"log.dirs":                                 l.Data,
		"auto.create.topics.enable":                "false",
		"default.replication.factor":               replicas,
		"min.insync.replicas":                      inSync,
		"offsets.topic.replication.factor":         replicas,
		"offsets.topic.num.partitions":             "4",
		"transaction.state.log.replication.factor": replicas,
		"transaction.state.log.min.isr":            inSync,
		"transaction.state.log.num.partitions":     "4",
		// A node that was killed is out, and can come back, after this time; else 9 s.
		"broker.session.timeout.ms":        "4000",
		"broker.heartbeat.interval.ms":     "500",
		"group.initial.rebalance.delay.ms": "0",
		"group.min.session.timeout.ms":     "1000",
	}
	maps.Copy(p, more)
	return p
}

// EnvName is the variable that stands for the property in the environment of a
// container of apache/kafka.
func EnvName(property string) string {
	return "KAFKA_" + strings.ToUpper(strings.NewReplacer("_", "__", "-", "___", ".", "_").Replace(property))
}
