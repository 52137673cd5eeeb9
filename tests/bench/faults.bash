# shellcheck shell=bash disable=SC2154,SC2034
# faults.bash: how long until the next write is answered.

run_faults() {
	local fault ours bare label

	mkdir "$scratch/outage"
	timeout 1200 "$top/tests/bench/outage.py" "$build/zkfs" \
		"$build/tests/bench/bench-outage" "$scratch/outage" "$rounds" \
		>"$scratch/outages" || die "the faults have failed"
	while read -r fault ours bare; do
		keep "$fault" "$ours"
		keep "$fault-bare" "$bare"
	done <"$scratch/outages"
	printf '\nnext write answered, ms      zkfs      bare\n'
	for fault in kill-leader hung-server cut; do
		ours=$(figure "$fault") bare=$(figure "$fault-bare")
		label=
		# A turn of the loop is no difference; a tenth is.
		if [ "$(compute "$ours > $bare * 1.1 + 20" %d)" = 1 ]; then
			label=' MISSED: no worse than bare'
			missed=1
		fi
		printf '%-22s %10.1f %9.1f%s\n' "$fault" "$ours" "$bare" "$label"
	done
}
