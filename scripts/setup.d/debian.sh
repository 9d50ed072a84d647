# The Debian image that stand-ins are built on, bootstrapped from the machine's own mirror. Sourced
# by setup.
# shellcheck shell=bash

# debian_suites prints "URI SUITE COMPONENT..." for each Debian suite of the machine's apt
# configuration, with the name of the machine's release replaced by bookworm.
debian_suites() {
	local codename
	codename=$(. /etc/os-release && [ "${ID:-}" = debian ] && printf '%s' "${VERSION_CODENAME:-}") || true
	[ -n "$codename" ] || return 0
	# shellcheck disable=SC2016 # apt fills these in
	apt-get indextargets --format '$(REPO_URI) $(CODENAME) $(RELEASE) $(COMPONENT)' 'Created-By: Packages' |
		awk -v from="$codename" -v to=bookworm '
			# A suite is written by its code name or by its place in line ("stable").
			{ suite = index($2, from) == 1 ? $2 : $3 }
			suite == from || suite == from "-updates" || suite == from "-security" {
				sub("^" from, to, suite)
				key = $1 " " suite
				if (!(key in parts)) order[++n] = key
				if (index(" " parts[key] " ", " " $4 " ") == 0) parts[key] = parts[key] " " $4
			}
			END { for (i = 1; i <= n; i++) print order[i] parts[order[i]] }'
}

# new_certificates FILE prints the certificates of the machine's bundle that FILE lacks. On a network
# that intercepts TLS, programs in the stand-ins need them as much as the machine does.
new_certificates() {
	local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
	[ -r "$bundle" ] || return 0
	awk '
		/-----BEGIN CERT/ { cert = ""; inside = 1 }
		inside { cert = cert $0 "\n" }
		/-----END CERT/ { inside = 0; if (FNR == NR) known[cert] = 1; else if (!(cert in known)) { known[cert] = 1; printf "%s", cert } }
	' "$1" "$bundle"
}

debian_image() {
	local tarball=$state/cache/debian-bookworm-$recipe-$engine_arch.tar.gz
	[ -e "$tarball" ] || debian_tarball "$tarball"
	long "importing $debian" "$engine" import --change "LABEL $label=$recipe" \
		--change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
		--change 'CMD ["bash"]' "$tarball" "$debian" || die "images: $debian could not be imported, see above"
}

debian_tarball() {
	{ am_root && is_debian_like; } || need_stand_ins "stand-ins can only be built by root on Debian"
	[ "$(dpkg --print-architecture)" = "$engine_arch" ] || need_stand_ins "the engine runs on $engine_arch, this machine is another"
	debian_suites >"$work/suites"
	local mirror
	mirror=$(awk '$2 == "bookworm" { print $1; exit }' "$work/suites")
	[ -n "$mirror" ] || need_stand_ins "the machine's apt configuration names no Debian mirror"
	apt_install debootstrap
	local tree=$work/debian
	# debootstrap mounts file systems below the tree. In a mount namespace of its own they end
	# with it, however it ends, and removing the tree afterwards removes nothing else.
	long "debootstrap bookworm" unshare --mount debootstrap --variant=minbase --include=ca-certificates bookworm "$tree" "$mirror" ||
		die "images: debootstrap failed, see above"

	rm -f "$tree"/etc/apt/sources.list "$tree"/etc/resolv.conf "$tree"/etc/hostname
	while read -r uri suite components; do
		printf 'deb %s %s %s\n' "$uri" "$suite" "$components"
	done <"$work/suites" >"$tree/etc/apt/sources.list"
	# As in the official Debian images: no service starts, no package is kept, no file is synced.
	printf '#!/bin/sh\nexit 101\n' >"$tree/usr/sbin/policy-rc.d"
	chmod 755 "$tree/usr/sbin/policy-rc.d"
	echo force-unsafe-io >"$tree/etc/dpkg/dpkg.cfg.d/docker-apt-speedup"
	cat >"$tree/etc/apt/apt.conf.d/docker-clean" <<-'EOT'
		DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb /var/cache/apt/archives/partial/*.deb || true"; };
		Acquire::Languages "none";
		Acquire::Retries "3";
		Apt::AutoRemove::SuggestsImportant "false";
	EOT
	new_certificates "$tree/etc/ssl/certs/ca-certificates.crt" >"$work/new.crt"
	if [ -s "$work/new.crt" ]; then
		say "images: carrying over $(grep -c BEGIN "$work/new.crt") certificates that this machine trusts and Debian does not"
		# One file for each, as update-ca-certificates wants them.
		awk -v dir="$tree/usr/local/share/ca-certificates" '/BEGIN CERT/ { n++ } { print > (dir "/host-" n ".crt") }' "$work/new.crt"
		chroot "$tree" update-ca-certificates >/dev/null 2>&1
	fi
	rm -rf "$tree"/var/lib/apt/lists/* "$tree"/var/cache/apt/* "$tree"/var/log/* "$tree"/tmp/* \
		"$tree"/usr/share/man/* "$tree"/usr/share/locale/* \
		"$tree"/usr/share/info/*
	find "$tree/usr/share/doc" -type f ! -name copyright -delete
	long "packing the Debian tree" tar -C "$tree" --numeric-owner --one-file-system -I 'gzip -1' -cf "$work/debian.tar.gz" .
	mkdir -p "$state/cache"
	mv "$work/debian.tar.gz" "$1"
	rm -rf --one-file-system "$tree"
}
