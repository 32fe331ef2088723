#!/bin/sh
# Starts the broker as the environment says, the way apache/kafka does: KAFKA_A_B=c
# becomes the property a.b=c ("__" stands for "_", "___" for "-"), CLUSTER_ID the
# cluster's id and KAFKA_HEAP_OPTS the heap. What ends in _OPTS is no property.
set -eu

home=${KAFKA_IMAGE_HOME:-/kafka}
properties=${KAFKA_IMAGE_PROPERTIES:-/tmp/server.properties}
unset KAFKA_IMAGE_HOME KAFKA_IMAGE_PROPERTIES

env | awk '
	/^KAFKA_[A-Z0-9_]+=/ {
		end = index($0, "=")
		name = substr($0, 7, end - 7)
		if (name ~ /_OPTS$/) next
		gsub(/___/, "-", name)
		gsub(/__/, "=", name) # no name has one
		gsub(/_/, ".", name)
		gsub(/=/, "_", name)
		print tolower(name) substr($0, end)
	}' >"$properties"

run() {
	# shellcheck disable=SC2086 # several options
	exec java ${KAFKA_HEAP_OPTS:-} -XX:+UseSerialGC -Djava.awt.headless=true \
		-Dlog4j2.configurationFile="$home/log4j2.properties" -cp "$home/libs/*" "$@"
}

# A container that is started again has its data already.
(run kafka.tools.StorageTool format --ignore-formatted -t "${CLUSTER_ID:-bankimport-test-kafka}" -c "$properties")
run kafka.Kafka "$properties"
