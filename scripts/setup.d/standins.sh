# The stand-ins for Python and Node.js, built from Debian and npm packages. Sourced by setup.
# shellcheck shell=bash

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

# build IMAGE DIRECTORY builds the Dockerfile in the directory. Without --force-rm a failed step would
# leave its container.
build() {
	long "building $1" "$engine" build --force-rm --label "$label=$recipe" --tag "$1" "$2" ||
		die "images: $1 could not be built, see above"
}

python_image() {
	local context=$work/python
	mkdir "$context"
	# Without the file EXTERNALLY-MANAGED pip installs as it does in python:3.12-slim.
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
	# Node has certificates of its own, and reads the system's only if this variable names them.
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

# npm_packages DIRECTORY SPEC... fetches the tarballs of packages by the machine's npm and its
# configuration. On a machine without npm it uses Debian's, in a container.
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
