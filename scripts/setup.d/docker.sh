# Finding docker, installing it, starting dockerd. Sourced by setup.
# shellcheck shell=bash

docker_log=$state/dockerd.log

docker_answers() { timeout 20 docker version --format '{{.Server.Version}}' >/dev/null 2>&1; }

# docker_is_local fails if the CLI would talk to another engine than the one that can be started here.
docker_is_local() {
	case ${DOCKER_HOST:-} in
	'' | unix:///var/run/docker.sock | unix:///run/docker.sock) ;;
	*) return 1 ;;
	esac
	[ "${DOCKER_CONTEXT:-default}" = default ] || return 1
	# "docker context use" writes to the CLI's configuration.
	! grep -qs '"currentContext": *"[^"]' "${DOCKER_CONFIG:-${HOME:-/root}/.docker}/config.json"
}

docker_advice() {
	warn "$1"
	cat >&2 <<-'EOT'
		What to do, one of:
		  - point the CLI at an engine that runs:   export DOCKER_HOST=ssh://user@host  (or: docker context use NAME)
		  - start the one installed here, as root:  systemctl start docker  (or: service docker start)
		  - let your user reach it, as root:        usermod -aG docker USER  and log in anew
		  - install it on Debian, as root:          apt-get update && apt-get install -y docker.io
		  - install it elsewhere:                   your distribution's docker package, or Docker Desktop
		  - use podman in its place:                scripts/setup --engine podman
		Then run this script again.
	EOT
	exit 1
}

engine_docker() {
	local versions
	if have docker && versions=$(timeout 20 docker version --format '{{.Server.Version}} (client {{.Client.Version}}) {{.Server.Arch}}' 2>/dev/null); then
		engine_arch=${versions##* }
		say "docker: engine ${versions% *} answers; CLI $(command -v docker)"
		return
	fi
	docker_is_local || docker_advice "docker: the engine named by DOCKER_HOST or the docker context does not answer"
	am_root || docker_advice "docker: no engine answers, and only root can start or install one"
	if ! have docker || ! have dockerd; then
		is_debian_like || docker_advice "docker: not installed, and this is no Debian-like system"
		local packages=(docker.io)
		# A host without a service manager lacks these for dockerd.
		grep -q ' /sys/fs/cgroup' /proc/mounts || packages+=(cgroupfs-mount)
		if [ "$(cat /sys/module/apparmor/parameters/enabled 2>/dev/null)" = Y ]; then packages+=(apparmor); fi
		apt_install "${packages[@]}"
		{ have docker && have dockerd; } || docker_advice "docker: the package docker.io brought no docker or no dockerd"
	fi
	docker_answers || start_dockerd
	engine_docker
}

# clear_stale_pids removes the pid files of a killed dockerd. If one is left and any process has that
# number, dockerd refuses to start.
clear_stale_pids() {
	local file pid
	for file in /var/run/docker.pid /var/run/docker/containerd/containerd.pid; do
		[ -e "$file" ] || continue
		pid=$(tr -dc 0-9 <"$file")
		case $(cat "/proc/${pid:-none}/comm" 2>/dev/null) in
		dockerd | containerd) ;;
		*)
			say "docker: removing the stale $file"
			rm -f "$file"
			;;
		esac
	done
}

# dockerd_runs fails if no dockerd runs here; one in a container of this host does not count. A
# minimal system has no pgrep.
dockerd_runs() {
	local dir ours
	ours=$(readlink /proc/self/ns/pid)
	for dir in /proc/[0-9]*; do
		if [ "$(readlink "$dir/ns/pid" 2>/dev/null)" = "$ours" ] && [ "$(cat "$dir/comm" 2>/dev/null)" = dockerd ]; then
			return 0
		fi
	done
	return 1
}

start_dockerd() {
	local start i
	start=$(now_ms)
	if [ -d /run/systemd/system ] && have systemctl; then
		say "docker: starting docker.service"
		systemctl start docker || docker_advice "docker: systemctl start docker failed"
	elif dockerd_runs; then
		say "docker: dockerd runs already, waiting for it"
	else
		clear_stale_pids
		say "docker: starting dockerd, log $docker_log"
		# In a session of its own, neither the end of the terminal nor a signal to this script's
		# group reaches it. With the descriptor of the lock it would keep the lock.
		setsid --fork dockerd </dev/null >>"$docker_log" 2>&1 9>&-
	fi
	for ((i = 0; i < 600; i++)); do
		if docker_answers; then
			say "docker: dockerd answered after $(took "$start")"
			return
		fi
		if ((i > 20)) && ! dockerd_runs; then break; fi
		if ((i % 50 == 49)); then say "docker: still waiting ($(took "$start"))"; fi
		sleep 0.1
	done
	[ ! -e "$docker_log" ] || tail -n 15 "$docker_log" | sed 's/^/    /' >&2
	docker_advice "docker: no answer from dockerd after $(took "$start"); the end of $docker_log is above"
}
