# The images that the runtimes need: pulled if a registry answers, else replaced by stand-ins. Sourced
# by setup.
# shellcheck shell=bash

recipe=1 # raise it when an image is built in another way; images of another number are built anew
label=drydock-setup

debian=localhost/drydock/debian:bookworm
python=localhost/drydock/python:bookworm
node=localhost/drydock/node:bookworm
busybox=localhost/drydock/busybox:1
static=localhost/drydock/static:1

required=(python:3.12-slim node:20-slim)
optional=(oven/bun:1-slim denoland/deno:alpine golang:1-alpine rust:1-slim)

# list_images reads the names of all images, and of those that were built by this recipe.
list_images() {
	all_images=$'\n'$("$engine" image ls --format '{{.Repository}}:{{.Tag}}')$'\n'
	our_images=$'\n'$("$engine" image ls --filter "label=$label=$recipe" --format '{{.Repository}}:{{.Tag}}')$'\n'
}

# present IMAGE fails if the engine lacks the image. podman puts the registry before its name.
present() { grep -qE "(^|/)${1//./\\.}$" <<<"$all_images"; }
# ours IMAGE fails if the image was not built by this recipe.
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

# pull_image IMAGE pulls it. It gives up after 20 s without a sign of the image; an image that is on
# its way may take longer.
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

# pull_optional pulls the images that only some runtimes need: once for each engine, and by --pull.
pull_optional() {
	local image stamp=$state/optional-$engine
	if [ -e "$stamp" ] && ! $pull; then return 0; fi
	for image in "${optional[@]}"; do
		present "$image" || pull_image "$image" || say "images: the runtimes that need $image will not work until it can be pulled"
	done
	touch "$stamp"
}
