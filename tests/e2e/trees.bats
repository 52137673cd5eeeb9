#!/usr/bin/env bats
# Trees as others make them (trees/plant.py): walked and read, copied, and
# restored into an empty tree. A client that knows nothing of zkfs compares
# znode by znode: which there are, their data, and whether they are directories.

load lib
load own_server

JOBS=$E2E_DIR/jobs

setup() {
	e2e_setup
	PATH=$JOBS:$PATH
	mkfifo keep
}

# plant SYSTEM: mounts it as A.
plant() {
	exec 6<>keep
	/usr/bin/python3 "$E2E_DIR/trees/plant.py" "$SOURCE" "$1" \
		<keep >planted 2>&1 6>&- &
	within 20 grep -q . planted
	is "$(<planted)" ready
	zk dump / >znodes
	zk_mount A
}

# An empty tree NAME.
field() {
	zk_at "${SOURCE%%/*}" root create "$TREE-$1"
	zk_mount "$1" '' "$SOURCE-$1"
}

# What grows there now; ephemerals have become files, if they were copied.
grown() {
	zk_at "$SOURCE-$1" x dump /
}

persistent() {
	grep -v "^[^']* ephemeral " znodes
}

# What a walk shows, in the words of `zk dump`: each name, what it is, and what
# is read from it. Ephemerals are files.
walked() {
	py 'import os
top = A[0]
def data(path):
    with open(path, "rb") as file:
        return file.read()
lines = []
for here, dirs, files in os.walk(top):
    path = here[len(top):] or "/"
    lines.append("%s dir %r" % (path, data(here + "/.data")))
    for name in files:
        if name != ".data":
            full = here + "/" + name
            got = data(full)
            same(os.stat(full).st_size, len(got))
            lines.append("%s file %r" % (full[len(top):], got))
print("\n".join(sorted(lines)))' "$1"
}

# The whole of what is promised, of one system.
grows() {
	plant "$1"
	[ "$(wc -l <znodes)" -gt 15 ]
	diff <(sed -E "s/^([^']*) ephemeral /\1 file /" znodes) <(walked "$A")
	# Twice: what is cached is the same.
	diff <(walked "$A") <(walked "$A")
	# All attributes can be read, and say the same.
	timeout 20 getfattr -R -d -P "$A" >/dev/null
	is "$(Z=$A ephemerals | sort)" "$(sed -nE \
		"s/^([^']*) ephemeral .*/.\1/p" znodes | sort)"
	restored_by_tar
	restored_by_rsync
	copied
}

restored_by_tar() {
	field T
	Z=$A timeout 50 backup saved.tar
	Z=$T timeout 50 restore saved.tar
	diff <(persistent) <(grown T)
	# And into a plain directory and back.
	mkdir plain
	Z=plain restore saved.tar
	field P
	timeout 50 cp -a plain/. "$P"
	diff <(persistent) <(grown P)
}

restored_by_rsync() {
	field R
	timeout 50 mirror "$A" "$R"
	diff <(persistent) <(grown R)
	timeout 50 mirror "$A" "$R"
	diff <(persistent) <(grown R)
	timeout 50 compare "$T" "$R"
}

# Of the living: what is ephemeral becomes a file.
copied() {
	field C
	timeout 50 cp -a "$A/." "$C"
	diff <(sed -E "s/^([^']*) ephemeral /\1 file /" znodes) <(grown C)
	timeout 50 diff -r "$A" "$C"
	timeout 50 rm -r "$C"/*
	is "$(grown C)" "/ dir b''"
}

@test "trees: Kafka's" {
	grows kafka
}

@test "trees: Solr's" {
	grows solr
}

@test "trees: HBase's" {
	grows hbase
}

@test "trees: ClickHouse's" {
	grows clickhouse
	# A value that was never written is a directory; it is a file when it is.
	[ -d "$A/clickhouse/tables/01/default.hits/replicas/r1/host" ]
	zk set /clickhouse/tables/01/default.hits/replicas/r1/host "host: h"
	is "$(cat "$A/clickhouse/tables/01/default.hits/replicas/r1/host")" \
		"host: h"
}

@test "trees: Curator's, with containers" {
	grows curator
	# A name that begins with a dash, and one that a shell would run.
	is "$(cd "$A/app/cache" && cat ./-rf)" "a name"
	# What comes into a container that another made is the same as elsewhere.
	echo x >"$A/app/box/new"
	is "$(zk get /app/box/new)" x
	rm "$A/app/box/new" "$A/app/box/child"
	is "$(cat "$A/app/box/.data" 2>/dev/null || cat "$A/app/box")" \
		"a container with data"
}

@test "trees: nodes with a time to live" {
	OWN_JAVA_OPTIONS=-Dzookeeper.extendedTypesEnabled=true own_server
	grows ttl
	# They can be changed, moved and removed as others are.
	echo new >"$A/app/cache/1"
	mv "$A/app/cache/1" "$A/app/cache/3"
	is "$(zk get /app/cache/3)" new
	mkdir "$A/app/empty/sub"
	is "$(zk ls /app/empty)" sub
	rm -r "$A/app/queue"
	run ! zk exists /app/queue
}
