#!/bin/sh
# usage: install MANAGER [ARGUMENT...] | install setup COMMAND
#
# Runs while the image of a runtime is built: installs packages with one of the image's
# package managers, or runs a setup command. What it is given is never read as a command, but
# for the one of setup.
set -eu

# The package indexes of the build come in a variable that no builder keeps. A value that
# does not begin so is a proxy of the host's.
set -f
case ${ftp_proxy-} in
"drydock "*)
	for v in ${ftp_proxy#drydock }; do export "${v?}"; done
	unset ftp_proxy FTP_PROXY # BuildKit sets both
	;;
esac
set +f

# What package managers fetch is kept where the builder has a cache mounted, and else removed.
cache=/var/cache/drydock
what=$1
shift

# DRYDOCK_MIRROR takes the place of scheme and host of the system's package sources, in a copy
# that does not stay.
mirror="s#https?://[^/ ]+#${DRYDOCK_MIRROR-}#"
temp=/tmp/drydock-install

case $what in
apt)
	export DEBIAN_FRONTEND=noninteractive
	etc=/etc/apt
	if [ "${DRYDOCK_MIRROR-}" ]; then
		etc=$temp
		cp -R /etc/apt $etc
		find $etc \( -name '*.list' -o -name '*.sources' \) -exec sed -E -i "$mirror" {} +
	fi
	mkdir -p $cache/apt/partial
	apt-get -o Dir::Etc=$etc update
	apt-get -o Dir::Etc=$etc -o Dir::Cache::archives=$cache/apt install --yes --no-install-recommends "$@"
	rm -rf /var/lib/apt/lists/*
	;;
apk)
	repositories=/etc/apk/repositories
	if [ "${DRYDOCK_MIRROR-}" ]; then
		sed -E "$mirror" $repositories >$temp
		repositories=$temp
	fi
	mkdir -p $cache/apk
	apk --repositories-file $repositories --cache-dir $cache/apk add "$@"
	;;
pip)
	# A Debian python refuses to have its packages mixed with pip's; in an image of its own
	# there is nothing to protect.
	export PIP_BREAK_SYSTEM_PACKAGES=1 PIP_ROOT_USER_ACTION=ignore
	python3 -m pip install --cache-dir=$cache/pip --disable-pip-version-check "$@"
	;;
npm)
	export NPM_CONFIG_CACHE=$cache/npm
	if [ "${DRYDOCK_NPMRC-}" ]; then
		export NPM_CONFIG_USERCONFIG=$temp
		printf '%s\n' "$DRYDOCK_NPMRC" >$temp
	fi
	# Where Node looks for modules from every directory is the top of the file system; what is
	# installed globally is found by nobody's import. npm itself does not work there.
	mkdir -p /.drydock/npm
	cd /.drydock/npm
	ln -sfn /.drydock/npm/node_modules /node_modules
	if [ $# -gt 0 ]; then
		# npm 10 cannot place the peers of some packages, vitest for one, and can without them.
		npm install --no-fund --no-audit "$@" || npm install --legacy-peer-deps --no-fund --no-audit "$@"
	elif [ -e package-lock.json ]; then
		npm ci --no-fund --no-audit
	else
		npm install --no-fund --no-audit
	fi
	for f in node_modules/.bin/*; do
		[ ! -e "$f" ] || [ -e "/usr/local/bin/${f##*/}" ] || ln -s "/$f" /usr/local/bin/
	done
	;;
cargo)
	export CARGO_HOME=$cache/cargo
	cargo install --root=/usr/local "$@"
	;;
go)
	export GOBIN=/usr/local/bin GOMODCACHE=$cache/go GOCACHE=$cache/go-build GOFLAGS=-modcacherw
	for package; do go install "$package"; done
	;;
setup)
	unset DRYDOCK_MIRROR DRYDOCK_NPMRC # they are for the managers alone
	exec /bin/sh -c "$1"
	;;
esac
rm -rf $temp
grep -q " $cache " /proc/mounts || rm -rf $cache
