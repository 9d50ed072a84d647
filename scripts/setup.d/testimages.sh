# The images that tests run on: a static program, and busybox. Sourced by setup.
# shellcheck shell=bash

# import_tree TREE IMAGE [CHANGE...] makes an image of one layer from a directory. All files in it
# belong to root.
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
	# The go command skips a directory whose name begins with an underscore.
	long "building the program of $static" env -C "$root/scripts/setup.d/_static" CGO_ENABLED=0 GOOS=linux GOARCH="$engine_arch" GOFLAGS= \
		go build -trimpath -buildvcs=false -ldflags '-s -w -buildid=' -o "$tree/args" main.go || die "images: go build failed, see above"
	import_tree "$tree" "$static" 'ENTRYPOINT ["/args"]'
}

busybox_image() {
	local tree=$work/busybox from=$python applet
	present "$python" || from=${required[0]}
	mkdir -p "$tree"/{bin,etc,dev,proc,sys,tmp,root,home,usr/bin,var/tmp}
	chmod 1777 "$tree/tmp" "$tree/var/tmp"
	# In a container of a Debian image, so that the architecture is the engine's on any host.
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
