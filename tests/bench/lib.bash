# shellcheck shell=bash disable=SC2154,SC2034,SC2004
# lib.bash: what the sections of tests/bench/run have in common: the server,
# the mounts, figures and lines of tables.

die() {
	printf 'bench: %s\n' "$*" >&2
	exit 1
}

# -- what is measured on -----------------------------------------------------

build_all() {
	local log=$scratch/build.log

	{
		[ -f "$build/build.ninja" ] ||
			meson setup --buildtype=release -Dtests=false \
				"$build" "$top"
		ninja -C "$build" zkfs \
			tests/bench/bench-{bare,change,crowd,handover,memfs,ops,outage}
	} >"$log" 2>&1 </dev/null && return
	tail -n 40 "$log" >&2
	die "the build has failed"
}

start_server() {
	local options=-Dzookeeper.forceSync=no

	[ -z "$large" ] || options+=' -Xmx3g'
	XDG_STATE_HOME=$scratch timeout 60 \
		env ZKFS_LOCAL_JAVA_OPTIONS="$options" \
		"$top/packaging/zkfs-local" start -n >"$scratch/server.log" 2>&1 ||
		die "no server: $(cat "$scratch/server.log")"
	read -r port <"$scratch/zkfs/port"
	address=127.0.0.1:$port
}

# It may be stopped: one that is does not end.
stop_server() {
	local pid

	read -r pid 2>/dev/null <"$scratch/zkfs/pid" && kill -CONT "$pid"
	XDG_STATE_HOME=$scratch timeout 60 \
		"$top/packaging/zkfs-local" stop >/dev/null
}

is_mounted() {
	grep -qF " $1 " /proc/self/mountinfo
}

# start_filesystem NAME COMMAND...: mounts it at $scratch/NAME, which is the
# last argument of the command, and sets daemon[NAME].
start_filesystem() {
	local name=$1 dir=$scratch/$1 i

	shift
	mkdir -p "$dir" || exit 1
	"$@" "$dir" >"$dir.log" 2>&1 </dev/null &
	daemon[$name]=$!
	for ((i = 0; i < 1000; i++)); do
		! is_mounted "$dir" || return 0
		kill -0 "${daemon[$name]}" 2>/dev/null || break
		sleep 0.02
	done
	die "'$name' is not mounted: $(cat "$dir.log")"
}

# start_mount NAME [OPTIONS [CHROOT]]
start_mount() {
	start_filesystem "$1" "$build/zkfs" -f \
		-o "session_timeout=$session_timeout${2:+,$2}" "$address${3-}"
}

# Takes it away; the program must end with 0.
stop_filesystem() {
	local pid=${daemon[$1]} dir=$scratch/$1 status=0

	unset "daemon[$1]"
	timeout 20 fusermount3 -u "$dir" || timeout 20 fusermount3 -uz "$dir"
	timeout 20 tail -s 0.02 --pid="$pid" -f /dev/null || kill -KILL "$pid"
	wait "$pid" || status=$?
	[ "$status" = 0 ] || cat "$dir.log" >&2
	return "$status"
}

stop_mount() {
	stop_filesystem "$1" || die "'$1' has ended with status $?"
}

clean_up() {
	local name pid

	trap '' INT TERM EXIT
	for pid in "${helpers[@]}"; do
		kill "$pid" 2>/dev/null
		wait "$pid"
	done
	for name in "${!daemon[@]}"; do
		stop_filesystem "$name"
	done
	stop_server
	rm -rf --one-file-system -- "${scratch:?}"
}

program() {
	timeout 120 "$build/tests/bench/bench-$1" "${@:2}" || die "$*"
}

bare() {
	program bare "$address" "$@"
}

ops() {
	program ops "$@"
}

# memory NAME FIELD: what /proc tells of a daemon, in kB.
memory() {
	awk -v field="$2:" '$1 == field { print $2 }' \
		"/proc/${daemon[$1]}/status"
}

# Processor time of all threads of a daemon, in microseconds.
processor() {
	cat "/proc/${daemon[$1]}"/task/*/schedstat |
		awk '{ sum += $1 } END { printf "%.0f", sum / 1000 }'
}

# -- numbers -----------------------------------------------------------------

# keep NAME VALUE: one more figure of that name.
keep() {
	printf '%s\n' "$2" >>"$scratch/$1.figures"
}

# The median of what was kept.
figure() {
	sort -n "$scratch/$1.figures" | awk '
		{ v[NR] = $1 }
		END { print (v[int((NR + 1) / 2)] + v[int(NR / 2) + 1]) / 2 }'
}

# compute EXPRESSION FORMAT
compute() {
	awk "BEGIN { printf \"${2:-%.1f}\", ($1) }"
}

# last NAME: what was kept in this round.
last() {
	tail -n 1 "$scratch/$1.figures"
}

# keep_ratio NAME OURS FLOOR: of the two figures of this round. The machine may
# change its mood from round to round: it is the ratios that the median is
# taken of.
keep_ratio() {
	keep "$1" "$(compute "$(last "$2") / $(last "$3")" %.4f)"
}

# keep_output NAME COMMAND...
keep_output() {
	local value

	value=$("${@:2}") || exit 1
	keep "$1" "$value"
}

# server FIELD: Received, Sent or Zxid of the server: packets, and the number
# of the last change. To ask is a packet, too, either way.
server() {
	local fd line

	exec {fd}<>"/dev/tcp/127.0.0.1/$port" || die "the server is gone"
	printf srvr >&"$fd"
	while IFS= read -r line <&"$fd"; do
		case $line in
		"$1":*) printf '%d\n' "${line#*: }" ;;
		esac
	done
	exec {fd}<&-
}

# All packets that the server has received.
received() {
	server Received
}

# keep_requests NAME N BEFORE: requests an operation, since BEFORE.
keep_requests() {
	local after

	after=$(received)
	keep "$1" "$(compute "($after - $3 - 1) / $2" %.3f)"
}

# -- lines of tables --------------------------------------------------------------

# verdict VALUE GOAL: the goal, marked when the value is above it.
verdict() {
	if [ -z "$2" ]; then
		printf -- '-'
	elif [ "$(compute "$1 > $2" %d)" = 1 ]; then
		printf '<= %s MISSED' "$2"
	else
		printf '<= %s' "$2"
	fi
}

line() {
	printf '%-42s %9s %9s %6s %9s  %s\n' "$@"
	case $6 in
	*MISSED) missed=1 ;;
	esac
}

# ratio_line WORDS OURS FLOOR RATIO REQUESTS GOAL: of figures, but REQUESTS.
ratio_line() {
	local ratio

	ratio=$(compute "$(figure "$4")" %.2f)
	line "$1" "$(compute "$(figure "$2")" %.2f)" \
		"$(compute "$(figure "$3")" %.2f)" "$ratio" "$5" \
		"ratio $(verdict "$ratio" "$6")"
}
