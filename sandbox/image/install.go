package image

import (
	_ "embed"
	"path"

	"github.com/drydock-go/drydock"
)

// installScript installs packages while an image is built. As a file of the build context it
// keeps the Dockerfile readable; packages are its arguments and never part of a command.
//
//go:embed install.sh
var installScript []byte

// installPath is where it is in the image.
const installPath = "/.drydock/install"

// cacheDir is where package managers keep their downloads: see install.sh.
const cacheDir = "/var/cache/drydock"

// indexVariable carries the package indexes of a Builder into a build. Every builder takes it
// as an argument that the Dockerfile need not declare, and puts it neither into the image's
// history nor into the key of its cache. Nothing else uses it.
const indexVariable = "ftp_proxy"

// indexMark tells our value from a proxy of the host's own configuration.
const indexMark = "drydock "

// install is the instruction that runs the script for a package manager, or for "setup".
func install(manager string, args []string, cacheMounts bool) (verb, arguments string) {
	verb = "RUN"
	if cacheMounts {
		// Package managers lock their caches, so one build at a time has it.
		verb += " --mount=type=cache,sharing=locked,target=" + cacheDir
	}
	return verb, jsonForm(append([]string{"/bin/sh", installPath, manager}, args...))
}

// NPMProject is the directory of an image that the requirement files of npm are in, and that
// the install script runs npm in.
const NPMProject = "/.drydock/npm"

// requirementPath is where a requirement file is in the image, and in the build context.
func requirementPath(m drydock.Manager, name string) (image, context string) {
	image = path.Join("/.drydock/requirements", string(m), name)
	if m == drydock.NPM {
		image = path.Join(NPMProject, name)
	}
	return image, path.Join("requirements", string(m), name)
}
