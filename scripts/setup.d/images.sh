# The images: pulled where a registry answers, else built from Debian and npm packages.
# Sourced by setup.
# shellcheck shell=bash

recipe=1 # counts up when what is built below changes; images of another count are built anew
label=drydock-setup

debian=localhost/drydock/debian:bookworm
python=localhost/drydock/python:bookworm
node=localhost/drydock/node:bookworm
busybox=localhost/drydock/busybox:1
static=localhost/drydock/static:1

required=(python:3.12-slim node:20-slim)
optional=(oven/bun:1-slim denoland/deno:alpine golang:1-alpine rust:1-slim)

# list_images reads the names of all images, and of those that this recipe made.
list_images() {
	all_images=$'\n'$("$engine" image ls --format '{{.Repository}}:{{.Tag}}')$'\n'
	our_images=$'\n'$("$engine" image ls --filter "label=$label=$recipe" --format '{{.Repository}}:{{.Tag}}')$'\n'
}

# present IMAGE: podman puts the name of the registry it came from before an image's name.
present() { grep -qE "(^|/)${1//./\\.}$" <<<"$all_images"; }
ours() { [[ $our_images == *$'\n'"$1"$'\n'* ]]; }

images() {
	list_images
	local image missing=() standing_in=()
	for image in "${required[@]}"; do present "$image" || missing+=("$image"); done

	if ((${#missing[@]} == 0)); then
		say "images: ${required[*]} present"
		pull_optional
	elif ! $pull && ours "$python" && ours "$node"; then
		standing_in=("${missing[@]}")
		say "images: stand-ins present: $python, $node (--pull tries the registry again)"
	elif pull_image "${missing[0]}"; then
		for image in "${missing[@]:1}"; do
			pull_image "$image" || die "images: the registry has ${missing[0]} but not $image; see above"
		done
		pull_optional
	else
		say "images: no registry serves ${missing[0]}; the others are not tried, stand-ins are built from Debian packages"
		standing_in=("${missing[@]}")
		ours "$debian" || debian_image
		ours "$python" || python_image
		ours "$node" || node_image
	fi

	list_images
	ours "$static" || static_image
	ours "$busybox" || busybox_image
	say "images: for the tests: $busybox, $static"
	overlay "${standing_in[@]}"
}

# pull_image IMAGE: no sign of the image within 20 s is a no; once it comes it may take its time.
pull_image() {
	local image=$1 log=$work/pull.log pid start i status=0
	start=$(now_ms)
	say "images: pulling $image ..."
	setsid timeout 900 "$engine" pull "$image" </dev/null >"$log" 2>&1 9>&- &
	pid=$!
	long_child=$pid
	for ((i = 1; ; i++)); do
		kill -0 "$pid" 2>/dev/null || break
		if ((i == 200)) && ! grep -qE 'Pulling from|Getting image source|Copying blob' "$log"; then
			kill -TERM -- "-$pid" 2>/dev/null || true
		fi
		if ((i % 100 == 0)); then say "  $(took "$start"): $(tail -n 1 "$log" | cut -c 1-90)"; fi
		sleep 0.1
	done
	wait "$pid" || status=$?
	long_child=
	if ((status == 0)); then
		say "images: pulled $image ($(took "$start"))"
		return
	fi
	say "images: no $image from a registry ($(took "$start")): $(tail -n 1 "$log" | cut -c 1-160)"
	return 1
}

# pull_optional fetches what only some runtimes need; once for each engine unless --pull says so.
pull_optional() {
	local image stamp=$state/optional-$engine
	if [ -e "$stamp" ] && ! $pull; then return 0; fi
	for image in "${optional[@]}"; do
		present "$image" || pull_image "$image" || say "images: the runtimes that need $image will not work until it can be pulled"
	done
	touch "$stamp"
}

# debian_suites prints "URI SUITE COMPONENT..." for the Debian suites of the machine's own apt
# configuration, whatever its Debian is named.
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

# new_certificates FILE prints those certificates of the machine's bundle that FILE has not:
# on a network that opens TLS, programs in the stand-ins need them as much as the machine does.
new_certificates() {
	local bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}
	[ -r "$bundle" ] || return 0
	awk '
		/-----BEGIN CERT/ { cert = ""; inside = 1 }
		inside { cert = cert $0 "\n" }
		/-----END CERT/ { inside = 0; if (FNR == NR) known[cert] = 1; else if (!(cert in known)) { known[cert] = 1; printf "%s", cert } }
	' "$1" "$bundle"
}

need_stand_ins() {
	warn "images: $1"
	cat >&2 <<-EOT
		The images ${required[*]} are missing and no registry serves them. One of:
		  - pull them on a machine that can, "docker save" them, and load them here with "$engine load"
		  - name a registry mirror in the engine's own configuration
		  - run this script as root on Debian, which builds stand-ins from Debian packages
		Then run this script again.
	EOT
	exit 1
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
	# In a mount namespace of its own what debootstrap mounts below the tree ends with it,
	# however it ends, and removing the tree afterwards removes nothing else.
	long "debootstrap bookworm" unshare --mount debootstrap --variant=minbase --include=ca-certificates bookworm "$tree" "$mirror" ||
		die "images: debootstrap failed, see above"

	rm -f "$tree"/etc/apt/sources.list "$tree"/etc/resolv.conf "$tree"/etc/hostname
	while read -r uri suite components; do
		printf 'deb %s %s %s\n' "$uri" "$suite" "$components"
	done <"$work/suites" >"$tree/etc/apt/sources.list"
	# As the well-known Debian images do it: nothing starts, nothing is kept, nothing is synced.
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

# build IMAGE DIRECTORY builds the Dockerfile there; --force-rm leaves no container of a failed step.
build() {
	long "building $1" "$engine" build --force-rm --label "$label=$recipe" --tag "$1" "$2" ||
		die "images: $1 could not be built, see above"
}

python_image() {
	local context=$work/python
	mkdir "$context"
	# Without the mark of an externally managed installation pip works as in python:3.12-slim.
	cat >"$context/Dockerfile" <<-EOT
		FROM $debian
		ENV LANG=C.UTF-8
		RUN apt-get update \\
		 && apt-get install -y --no-install-recommends python3 python3-pip python3-venv python-is-python3 \\
		 && rm -f /usr/lib/python3*/EXTERNALLY-MANAGED \\
		 && rm -rf /var/lib/apt/lists/* /var/log/apt /var/log/dpkg.log
		CMD ["python3"]
	EOT
	build "$python" "$context"
}

node_image() {
	local context=$work/node arch
	case $engine_arch in
	amd64) arch=x64 ;;
	arm64) arch=arm64 ;;
	*) need_stand_ins "there is no stand-in for Node.js on $engine_arch" ;;
	esac
	mkdir -p "$context/node" "$context/npm" "$state/cache"
	npm_packages "$state/cache/npm-$recipe-$arch" "node-linux-$arch@20" npm@10
	tar -C "$context/node" --strip-components=1 -xzf "$(echo "$state/cache/npm-$recipe-$arch"/node-*.tgz)"
	tar -C "$context/npm" --strip-components=1 -xzf "$(echo "$state/cache/npm-$recipe-$arch"/npm-*.tgz)"
	# Node has certificates of its own and reads the machine's only when told.
	cat >"$context/Dockerfile" <<-EOT
		FROM $debian
		ENV LANG=C.UTF-8 NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt
		COPY node/bin/node /usr/local/bin/node
		COPY node/include /usr/local/include
		COPY npm /usr/local/lib/node_modules/npm
		RUN ln -s node /usr/local/bin/nodejs \\
		 && ln -s ../lib/node_modules/npm/bin/npm-cli.js /usr/local/bin/npm \\
		 && ln -s ../lib/node_modules/npm/bin/npx-cli.js /usr/local/bin/npx \\
		 && groupadd --gid 1000 node && useradd --uid 1000 --gid node --shell /bin/bash --create-home node \\
		 && node --version && npm --version
		CMD ["node"]
	EOT
	build "$node" "$context"
}

# npm_packages DIRECTORY SPEC... fetches the tarballs of packages, by the machine's npm and its
# configuration, or where there is none by Debian's npm in a container that goes away.
npm_packages() {
	local directory=$1
	shift
	[ ! -e "$directory" ] || return 0
	mkdir "$work/npm"
	if have npm; then
		long "fetching $*" npm pack --silent --pack-destination "$work/npm" "$@" || die "images: npm pack failed, see above"
	else
		say "images: no npm here, so Debian's fetches them in a container; this takes a minute or two"
		# shellcheck disable=SC2016 # for the shell in the container
		long_stdout=$work/npm.tar long "fetching $*" \
			"$engine" run --rm --log-driver=none --workdir=/tmp --env=NODE_EXTRA_CA_CERTS=/etc/ssl/certs/ca-certificates.crt "$debian" \
			sh -c '{ apt-get update && apt-get install -y --no-install-recommends npm && npm pack "$@"; } >&2 && tar -c *.tgz' sh "$@" ||
			die "images: npm pack failed, see above"
		tar -C "$work/npm" -xf "$work/npm.tar"
	fi
	mv "$work/npm" "$directory"
}

# import_tree TREE IMAGE [CHANGE...] makes an image of one layer of a directory, all of it root's.
import_tree() {
	local tree=$1 image=$2 change changes=(--change "LABEL $label=$recipe")
	shift 2
	for change; do changes+=(--change "$change"); done
	tar -C "$tree" --owner=0 --group=0 --numeric-owner -cf "$tree.tar" .
	"$engine" import "${changes[@]}" "$tree.tar" "$image" >/dev/null 2>"$work/import.err" 9>&- || {
		cat "$work/import.err" >&2
		die "images: $image could not be imported, see above"
	}
	say "images: made $image ($(($(stat -c %s "$tree.tar") / 1024)) KiB)"
}

static_image() {
	have go || die "images: no go in PATH, which $static is built with; Drydock itself needs Go 1.26 too"
	local tree=$work/static
	mkdir "$tree"
	# A directory with an underscore before its name is no package of the module.
	long "building the program of $static" env -C "$root/scripts/setup.d/_static" CGO_ENABLED=0 GOOS=linux GOARCH="$engine_arch" GOFLAGS= \
		go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$tree/args" main.go || die "images: go build failed, see above"
	import_tree "$tree" "$static" 'ENTRYPOINT ["/args"]'
}

busybox_image() {
	local tree=$work/busybox from=$python applet
	present "$python" || from=${required[0]}
	mkdir -p "$tree"/{bin,etc,dev,proc,sys,tmp,root,home,usr/bin,var/tmp}
	chmod 1777 "$tree/tmp" "$tree/var/tmp"
	# From inside an image of Debian's, so that it is the engine's architecture on any host.
	long_stdout=$tree.bin long "fetching busybox-static" "$engine" run --rm --log-driver=none --workdir=/tmp "$from" \
		sh -c '{ apt-get update && apt-get download busybox-static && dpkg-deb -x busybox-static*.deb x; } >&2 &&
			x/bin/busybox --list >x/applets && tar -C x -c bin/busybox applets' ||
		die "images: busybox could not be fetched, see above"
	tar -C "$tree" --no-same-owner -xf "$tree.bin"
	while read -r applet; do
		[ "$applet" = busybox ] || ln -s busybox "$tree/bin/$applet"
	done <"$tree/applets"
	rm "$tree/applets"
	ln -s ../../bin/env "$tree/usr/bin/env"
	echo 'root:x:0:0:root:/root:/bin/sh' >"$tree/etc/passwd"
	echo 'root:x:0:' >"$tree/etc/group"
	import_tree "$tree" "$busybox" 'ENV PATH=/usr/local/bin:/usr/bin:/bin' 'CMD ["sh"]'
}

# overlay IMAGE... writes the runtimes that name stand-ins for these images, or with none
# removes what an earlier run wrote; then the exports that the other scripts read.
overlay() {
	local mark='# Written by Drydock'"'"'s scripts/setup.' file=$config/runtimes.yaml image
	if [ -e "$file" ] && ! head -n 1 "$file" | grep -qF "$mark"; then
		if (($# > 0)); then say "runtimes: $file is yours and is left alone"; fi
		file=$config/runtimes.stand-ins.yaml
	fi
	if (($# == 0)); then
		if [ -e "$file" ]; then
			say "runtimes: the images themselves are here, removing $file"
			rm -f "$file"
		fi
		exports ''
		return
	fi
	{
		cat <<-EOT
			$mark It writes it anew, or removes it when the images themselves are there.
			#
			# No registry serves this machine, so images built from Debian's and npm's packages stand
			# in for those that the runtimes name (Python is Debian's 3.11, not 3.12), and Debian's
			# packages for those of pip. The library reads this file where DRYDOCK_RUNTIMES names it.
			version: 1
			stand_ins:
		EOT
		for image; do
			case $image in
			python:*) echo "  $image: $python" ;;
			node:*) echo "  $image: $node" ;;
			esac
		done
		[[ " $* " != *" python:"* ]] || cat <<-'EOT'
			runtimes:
			  python-datascience:
			    description: Python with data science libraries (Debian packages stand in for pip's)
			    base_image: python:3.12-slim
			    packages: {apt: [python3-pandas, python3-numpy, python3-matplotlib, python3-sklearn, python3-seaborn]}
			    work_dir: /workspace
			    env: {MPLBACKEND: Agg}
			  python-web:
			    description: Python with web libraries (Debian packages stand in for pip's)
			    base_image: python:3.12-slim
			    packages: {apt: [python3-fastapi, python3-uvicorn, uvicorn, python3-sqlalchemy, python3-httpx]}
			    work_dir: /workspace
		EOT
	} >"$work/runtimes.yaml"
	if cmp -s "$work/runtimes.yaml" "$file"; then
		say "runtimes: $file is up to date; Debian's Python 3.11 stands in for 3.12"
	else
		mkdir -p "$config"
		# A rename within one file system, so that no reader sees half a file.
		cp "$work/runtimes.yaml" "$file.new.$$" && mv "$file.new.$$" "$file"
		say "runtimes: wrote $file; Debian's Python 3.11 stands in for 3.12"
	fi
	exports "$file"
}

exports() {
	{
		echo "# Written by Drydock's scripts/setup; to be sourced. What is set already stays."
		# shellcheck disable=SC2016 # for the shell that reads them
		[ -z "$1" ] || printf 'export DRYDOCK_RUNTIMES="${DRYDOCK_RUNTIMES:-%s}"\n' "$1"
		# shellcheck disable=SC2016
		[ ! -e "$state/containers.conf" ] || printf 'export CONTAINERS_CONF="${CONTAINERS_CONF:-%s}"\n' "$state/containers.conf"
	} >"$work/env"
	cmp -s "$work/env" "$env_file" || mv "$work/env" "$env_file"
	if grep -q export "$env_file"; then
		say "to use this in a shell:  . $env_file"
		sed -n 's/^export \([A-Z_]*\)="${[A-Z_]*:-\(.*\)}"$/  which is: export \1=\2/p' "$env_file"
	fi
}
