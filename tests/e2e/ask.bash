# shellcheck shell=bash
# ask.bash: what asks the servers without zkfs. It needs nothing else of lib, so
# that another shell, in another place of the network, can do it, too.

# ask_servers HOSTS SESSION COMMAND...: a command of zk.py, which listens at E2E_ZKPY.
ask_servers() {
	local fd status

	exec {fd}<>"/dev/tcp/127.0.0.1/$E2E_ZKPY"
	{
		printf '%d\n' $#
		printf '%s\0' "$@"
	} >&"$fd"
	read -r status <&"$fd" || status=3
	if [ "$status" = 0 ]; then
		cat <&"$fd"
	else
		cat <&"$fd" >&2
	fi
	exec {fd}>&-
	return "$status"
}

# zk_word WORD [PORT [ADDRESS]]: the server's answer to a four letter word.
zk_word() {
	local fd

	exec {fd}<>"/dev/tcp/${3:-127.0.0.1}/${2:-$E2E_PORT}"
	printf '%s' "$1" >&"$fd"
	cat <&"$fd"
	exec {fd}>&-
}
