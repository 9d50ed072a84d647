package sandbox

import (
	_ "embed"
	"path"

	"github.com/drydock-go/drydock"
)

// installScript installs packages while an image is built. It is a file of the build context,
// so a Dockerfile can be read, and its packages are arguments and never part of a command.
//
//go:embed install.sh
var installScript []byte

// installPath is where it is in the image.
const installPath = "/.drydock/install"

// cacheDir is where it has package managers keep what they fetch: see install.sh.
const cacheDir = "/var/cache/drydock"

// indexVariable carries the package indexes of BuildOptions into a build. Every builder
// takes it as an argument that the Dockerfile need not declare, and puts it neither into the
// image's history nor into the key of its cache; and nothing else uses it.
const indexVariable = "ftp_proxy"

// indexMark begins a value that is ours, and not a proxy of the host's own configuration.
const indexMark = "drydock "

// install is the instruction that runs the script.
func install(what string, args []string, cacheMounts bool) (verb, arguments string) {
	verb = "RUN"
	if cacheMounts {
		// One build at a time, as the package managers lock what is theirs.
		verb += " --mount=type=cache,sharing=locked,target=" + cacheDir
	}
	return verb, jsonForm(append([]string{"/bin/sh", installPath, what}, args...))
}

// requirementPath is where a requirement file is in the image, and in the build context. That
// of npm is where the script installs.
func requirementPath(m drydock.Manager, name string) (image, context string) {
	image = path.Join("/.drydock/requirements", string(m), name)
	if m == drydock.NPM {
		image = path.Join("/.drydock/npm", name)
	}
	return image, path.Join("requirements", string(m), name)
}
