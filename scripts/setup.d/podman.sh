# Finding podman, installing it, and giving it a configuration that works here. Sourced by setup.
# shellcheck shell=bash

podman_conf=$state/containers.conf

engine_podman() {
	if ! have podman; then
		{ is_debian_like && am_root; } || die "podman: not installed. As root: apt-get install podman (Debian), dnf install podman (Fedora); then run this script again"
		# runc is there since crun refuses hybrid cgroups. podman only recommends the rest, but
		# does not run without it: name resolution and bridges, and for users other than root
		# their uid ranges, network and file system.
		apt_install podman crun runc netavark aardvark-dns iptables uidmap slirp4netns fuse-overlayfs catatonit
		have podman || die "podman: the package brought no podman; see the messages above"
	fi
	if [ -z "${CONTAINERS_CONF:-}" ] && [ -e "$podman_conf" ]; then export CONTAINERS_CONF=$podman_conf; fi
	local versions
	versions=$(timeout 60 podman info --format '{{.Version.Version}} {{.Host.Arch}}' 2>"$work/podman.err") || {
		cat "$work/podman.err" >&2
		die "podman: podman info fails, see above"
	}
	engine_arch=${versions##* }
	say "podman: ${versions% *} at $(command -v podman)${CONTAINERS_CONF:+, CONTAINERS_CONF=$CONTAINERS_CONF}"
}

# podman_can_run makes sure that a container starts. On a host that may not raise limits, podman
# needs lower ones than its default. On a host with hybrid cgroups and no systemd it needs runc and
# the cgroupfs manager. Both are tried only if the machine's own configuration fails.
podman_can_run() {
	local try=(podman run --rm --network=none localhost/drydock/static:1 drydock)
	if timeout 60 "${try[@]}" >/dev/null 2>"$work/podman.err" 9>&-; then return; fi
	say "podman: a container does not start by the machine's configuration: $(tail -n 1 "$work/podman.err")"
	if [ "${CONTAINERS_CONF:-$podman_conf}" != "$podman_conf" ]; then
		die "podman: CONTAINERS_CONF=$CONTAINERS_CONF is yours and is left alone; unset it to have one made"
	fi
	cat >"$work/containers.conf" <<-'EOT'
		# Written by Drydock's scripts/setup for a host that may not raise limits, or whose
		# cgroups are hybrid (crun refuses these, runc does not).
		[containers]
		default_ulimits = ["nofile=1024:4096", "nproc=1024:4096"]

		[engine]
		runtime = "runc"
		cgroup_manager = "cgroupfs"
	EOT
	mv "$work/containers.conf" "$podman_conf"
	export CONTAINERS_CONF=$podman_conf
	timeout 60 "${try[@]}" >/dev/null 2>"$work/podman.err" 9>&- || {
		cat "$work/podman.err" >&2
		die "podman: a container does not start with CONTAINERS_CONF=$podman_conf either, see above"
	}
	say "podman: containers start with CONTAINERS_CONF=$podman_conf"
}
