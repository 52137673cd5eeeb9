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

# The same of a run and of another in which what had failed was run again. What
# has passed then is unsteady.
merge_tap() {
	local name
	count_tap "$2"
	if [ "$(grep -c '^not ok ' "$1")" != "$(grep -cE '^(not )?ok ' "$2")" ]
	then
		echo "$2: not all were run again"
		count_fail
	fi
	while IFS= read -r name; do
		count_unsteady
		printf 'unsteady %s\n' "$name"
	done < <(sed -n 's/^ok [0-9]* //p' "$2" | grep -v '# skip')
	while IFS= read -r name; do
		case $name in
		'ok '*'# skip'*) count_skip ;;
		'ok '*) count_pass ;;
		*) printf '%s\n' "$name" ;;
		esac
	done <"$1"
}
