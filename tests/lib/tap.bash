# shellcheck shell=bash
# tap: counts the lines of the Test Anything Protocol in a file, and shows
# those that matter. A plan that was not kept is a failed test more.

count_tap() {
	local line plan='' seen=0
	while IFS= read -r line; do
		case $line in
		1..*)
			plan=${line#1..}
			plan=${plan%% *}
			;;
		'ok '*'# skip'* | 'ok '*'# SKIP'*)
			seen=$((seen + 1))
			count_skip
			;;
		'ok '*)
			seen=$((seen + 1))
			count_pass
			continue
			;;
		'not ok '*)
			seen=$((seen + 1))
			count_fail
			;;
		esac
		printf '%s\n' "$line"
	done <"$1"
	if [ "$plan" != "$seen" ]; then
		echo "$1: planned ${plan:-nothing}, seen $seen"
		count_fail
	fi
}
