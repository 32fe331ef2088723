#!/usr/bin/env bash
# Builds a Kafka image for tests where none can be pulled: build.sh IMAGE KAFKA_HOME
#
# It behaves like apache/kafka as far as the tests go (see entry.sh) and holds
# nothing but a Java runtime cut to size, the libraries that it loads, busybox
# for the entry script, and the jars in KAFKA_HOME/libs ("make kafka-jars").
# Needs a Docker engine, a JDK, busybox and glibc.
#
# "docker import" and no Dockerfile: there is nothing to start from and nothing
# to run, and import works whichever builder the client has.
set -euo pipefail

fail() {
	echo "kafka image: $*" >&2
	exit 1
}

[[ $# -eq 2 ]] || fail "usage: build.sh IMAGE KAFKA_HOME"
image=$1
jars=$2/libs
here=$(cd "$(dirname "$0")" && pwd)

compgen -G "$jars/kafka_*.jar" >/dev/null || fail "no Kafka in $jars: run \"make kafka-jars\""
for program in docker jlink busybox ldd tar; do
	command -v "$program" >/dev/null || fail "no $program in PATH"
done

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
mkdir -p "$root"/{bin,kafka,tmp}
chmod 1777 "$root/tmp"

# java.desktop is for java.beans; nothing is drawn.
jlink --output "$root/jre" --strip-java-debug-attributes --no-header-files --no-man-pages \
	--add-modules java.base,java.desktop,java.logging,java.management,java.naming,java.security.jgss,java.security.sasl,java.sql,java.xml,jdk.crypto.ec,jdk.management,jdk.unsupported,jdk.zipfs
# What jlink leaves out, and what makes each of two starts faster.
"$root/jre/bin/java" -Xshare:dump >/dev/null

busybox=$(command -v busybox)
cp -L "$busybox" "$root/bin/busybox"
for name in sh env awk; do
	ln -s busybox "$root/bin/$name"
done
ln -s ../jre/bin/java "$root/bin/java"

# The libraries that the binaries name, at the paths where the loader looks for
# them, without those for drawing.
runtime=("$busybox" "$root/jre/bin/java" "$root/jre/lib/server/libjvm.so")
for lib in java net nio zip jimage management management_ext; do
	runtime+=("$root/jre/lib/lib$lib.so")
done
mapfile -t libs < <({ ldd "${runtime[@]}" 2>/dev/null || true; } | grep -v "$root" | grep -oE '/[^ ]+\.so[^ ]*' | sort -u)
libc=
for lib in "${libs[@]}"; do
	[[ $lib == */libc.so.6 ]] && libc=$(dirname "$lib")
done
[[ -n $libc ]] || fail "this works with glibc only"
# What the jars' own libraries (compression) name beside these.
for lib in libdl.so.2 libgcc_s.so.1 libpthread.so.0 librt.so.1 libstdc++.so.6; do
	[[ -e $libc/$lib ]] && libs+=("$libc/$lib")
done
for lib in "${libs[@]}"; do
	mkdir -p "$root$(dirname "$lib")"
	cp -L "$lib" "$root$lib"
done

cp -r "$jars" "$root/kafka/libs"
cp "$here/../log4j2.properties" "$root/kafka/log4j2.properties"
install -m 755 "$here/entry.sh" "$root/entry.sh"

tar -C "$root" --owner=0 --group=0 --numeric-owner -c . |
	docker import --change 'ENV PATH=/bin' --change 'ENTRYPOINT ["/entry.sh"]' - "$image"
