# The YAML file that names the stand-ins, and the exports that name that file. Sourced by setup.
# shellcheck shell=bash

# overlay IMAGE... writes the YAML file that names the stand-ins for these images, or with none
# removes the file of an earlier run. Then it writes the exports that the other scripts read.
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
			$mark A later run writes it anew, or removes it if the images themselves are there.
			#
			# No registry serves this machine. So images built from Debian and npm packages stand in
			# for those that the runtimes name (Python is Debian's 3.11, not 3.12), and Debian's
			# packages for those of pip. The library reads this file if DRYDOCK_RUNTIMES names it.
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

# exports FILE writes the exports to use the YAML file, if there is one, and shows them.
exports() {
	{
		echo "# Written by Drydock's scripts/setup, to be sourced. Variables that are set already stay."
		# shellcheck disable=SC2016 # the shell that sources them expands them
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
