# Messages, paths and small helpers for the scripts beside setup.d. Sourced, never run.
# shellcheck shell=bash

# The PATH of a cron job, or of "su" without a dash, often lacks the directories of daemons.
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd -P)
state=${XDG_STATE_HOME:-${HOME:-/root}/.local/state}/drydock
config=${XDG_CONFIG_HOME:-${HOME:-/root}/.config}/drydock
env_file=$state/env

me=${0##*/}
say() { printf '%s: %s\n' "$me" "$*"; }
warn() { printf '%s: %s\n' "$me" "$*" >&2; }
die() { warn "$@" && exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
am_root() { [ "$(id -u)" = 0 ]; }
is_debian_like() { have apt-get && [ -e /etc/debian_version ]; }

# usage prints the comment block at the head of the script that runs.
usage() { sed -n "2,/^[^#]/s/^# \{0,1\}//p" "$0"; }

now_ms() { local t=${EPOCHREALTIME/[.,]/} && printf '%s' "${t%???}"; }

# took START prints the time since then: "1.2 s".
took() {
	local ms=$(($(now_ms) - $1))
	printf '%d.%d s' $((ms / 1000)) $((ms % 1000 / 100))
}

# long NAME COMMAND... runs a long command. Its output goes to a log; with long_stdout=FILE its
# standard output goes there. long says when the command begins and how long it took, every ten
# seconds it shows the last line of the log, and after a failure the end of the log. The command has
# a session of its own, in the background: bash acts on a signal only between foreground commands,
# and so the trap below can end the command at once.
long_child='' long_stdout=''
long() {
	local name=$1 log start beat=100 status=0
	shift
	mkdir -p "$state/log"
	log=$state/log/$(tr -cs 'a-zA-Z0-9.\n' - <<<"$name").log
	start=$(now_ms)
	say "$name ..."
	: >"$log"
	setsid "$@" </dev/null >>"${long_stdout:-$log}" 2>>"$log" 9>&- &
	long_child=$!
	while kill -0 "$long_child" 2>/dev/null; do
		sleep 0.1
		if ((--beat == 0)); then
			beat=100
			say "  $(took "$start"): $(tail -n 1 "$log" | tr -c '[:print:]\n' ' ' | cut -c 1-90)"
		fi
	done
	wait "$long_child" || status=$?
	long_child=''
	if ((status != 0)); then
		warn "$name: failed with status $status after $(took "$start"); the end of $log:"
		tail -n 20 "$log" | sed 's/^/    /' >&2
		return "$status"
	fi
	say "$name: done ($(took "$start"))"
}

end_long() {
	trap - INT TERM HUP
	if [ -n "$long_child" ]; then
		kill -TERM -- "-$long_child" 2>/dev/null || true
		wait "$long_child" 2>/dev/null || true
	fi
	warn "interrupted; the next run continues from here"
	exit $((128 + $1))
}
end_long_on_signals() {
	trap 'end_long 2' INT
	trap 'end_long 15' TERM
	trap 'end_long 1' HUP
}

# apt_install PACKAGE... installs the packages that are missing.
apt_install() {
	local package missing=()
	for package; do
		dpkg-query -W -f '${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed || missing+=("$package")
	done
	((${#missing[@]})) || return 0
	am_root || die "missing: ${missing[*]}. As root: apt-get update && apt-get install -y ${missing[*]}"
	export DEBIAN_FRONTEND=noninteractive NEEDRESTART_MODE=l
	# Another process may hold apt's locks, such as an unattended upgrade.
	local options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Dpkg::Use-Pty=0 -q)
	# If a source does not answer, the others may have the packages.
	long "apt-get update" apt-get "${options[@]}" update || true
	# Without systemd, the scripts of packages would start daemons by init scripts, which fail in
	# many containers and would keep this script's descriptors open. invoke-rc.d starts nothing
	# in runlevel 1.
	[ -d /run/systemd/system ] || export RUNLEVEL=1 PREVLEVEL=N
	long "apt-get install ${missing[*]}" apt-get "${options[@]}" install -y --no-install-recommends "${missing[@]}" ||
		warn "apt-get failed; going on with what is there"
	unset RUNLEVEL PREVLEVEL
	hash -r
}

# set_up [ARGUMENT...] runs scripts/setup and reads the exports that it wrote.
set_up() {
	"$root/scripts/setup" "$@" </dev/null || exit 1
	# shellcheck disable=SC1090 # written by setup
	if [ -e "$env_file" ]; then . "$env_file"; fi
}

# need_go fails if there is no go command. The PATH of a cron job often lacks its directory.
need_go() {
	have go || PATH=$PATH:/usr/local/go/bin
	have go || die "no go in PATH; install Go $(sed -n 's/^go //p' "$root/go.mod") or later and run this again"
}

# modules prints the directory of every module with Go files, relative to the checkout. The library
# comes first.
modules() {
	local file dir
	find "$root" -mindepth 1 \( -path "$root/out" -o -name node_modules -o -name testdata -o -name '.git' \) -prune \
		-o -name go.mod -print | sort | while read -r file; do
		dir=${file%/go.mod}
		if [ -n "$(find "$dir" -name '*.go' -print -quit)" ]; then realpath --relative-to="$root" "$dir"; fi
	done | sort -f -k1,1
}
