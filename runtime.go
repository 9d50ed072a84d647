package drydock

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"slices"
)

// DefaultWorkDir is the work dir of a runtime that names none.
const DefaultWorkDir = "/workspace"

// Runtime is what a sandbox is made from: an image and what is installed on it. To derive one from
// another in Go, change a copy: every Runtime that a [Catalog] returns is the caller's own.
//
// [Runtime.Validate] checks the struct; the comment of each field states what it accepts.
type Runtime struct {
	// Name is its name in a Catalog: 1 to 63 of a-z, 0-9, '.', '_' and '-', the first a letter
	// or digit. It may be empty outside a catalogue.
	Name string

	// Description is text for people.
	Description string

	// Image is used as it is: nothing can be installed on it. BaseImage is the image to build
	// on. Exactly one of the two is set.
	Image     string
	BaseImage string

	// Packages are installed by the image's package managers. They reach a manager as
	// arguments, never through a shell, to which "pandas>=2,<3" would be a redirection.
	// Default: none.
	Packages Packages

	// Requirements are the files of a project that list what a manager installs. They are
	// installed before Packages.
	Requirements map[Manager]Requirements

	// SetupCommands run after the packages are installed, in order, as root and each by the
	// image's /bin/sh. One may span lines.
	SetupCommands []string

	// Env is the environment of setup commands and of everything that runs in the sandbox.
	// Values are literal, without expansion of $, and of one line. They become part of the
	// image: no secrets.
	Env map[string]string

	// WorkDir is absolute and clean, and is no system directory: see SystemDir. Default:
	// DefaultWorkDir.
	WorkDir string

	// User is a uid, uid:gid or the name of a user of the image: see CheckUser. Default: the
	// unprivileged user that the sandbox chooses.
	User string

	// StandIn is set by a Catalog that replaced the image by one of its stand-ins. Reports of
	// what ran have to carry it. It does not count for Hash: the replacement itself does.
	StandIn StandIn
}

// StandIn says that an image is used in place of the one that a definition names. The zero
// value says that none is.
type StandIn struct {
	Image string // the image that is used
	For   string // the image that it replaces
}

// String returns a sentence for people, such as "localhost/drydock/python:bookworm in place of
// python:3.12-slim", and nothing for the zero value.
func (s StandIn) String() string {
	if s == (StandIn{}) {
		return ""
	}
	return s.Image + " in place of " + s.For
}

// Base returns the image that the runtime starts from: Image or BaseImage, whichever is set.
func (r Runtime) Base() string { return cmp.Or(r.Image, r.BaseImage) }

// Hash returns the SHA-256 of what the runtime's image is made of, in hex. Equal hashes mean
// equal images as far as a definition can tell. Name, Description and StandIn do not count, nor
// does the order of one manager's packages, nor whether an image on which nothing is installed
// was given as Image or as BaseImage. Setup commands count in their order. The hash is the same
// on every platform and with every version of Go.
func (r Runtime) Hash() string {
	h := sha256.New()
	// Strings are written with their length and lists with their count, so that no two
	// definitions have the same bytes. JSON and %q would change between versions of Go.
	put := func(s string) { fmt.Fprintf(h, "%d:%s,", len(s), s) }
	list := func(name string, items []string) {
		put(name)
		fmt.Fprintf(h, "%d;", len(items))
		for _, s := range items {
			put(s)
		}
	}
	io.WriteString(h, "drydock runtime 1\n")
	put(r.Base())
	put(cmp.Or(r.WorkDir, DefaultWorkDir))
	put(r.User)
	for m, names := range r.Packages.All() {
		list(string(m), slices.Compact(slices.Sorted(slices.Values(names))))
	}
	list("setup_commands", r.SetupCommands)
	var env []string
	for _, k := range slices.Sorted(maps.Keys(r.Env)) {
		env = append(env, k, r.Env[k])
	}
	list("env", env)
	for _, m := range slices.Sorted(maps.Keys(r.Requirements)) {
		var files []string
		for _, name := range slices.Sorted(maps.Keys(r.Requirements[m])) {
			files = append(files, name, r.Requirements[m][name])
		}
		list("requirements "+string(m), files)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// clone returns a copy that shares no memory with r.
func (r Runtime) clone() Runtime {
	r.SetupCommands = slices.Clone(r.SetupCommands)
	r.Env = maps.Clone(r.Env)
	r.Packages = maps.Clone(r.Packages)
	for m, names := range r.Packages {
		r.Packages[m] = slices.Clone(names)
	}
	r.Requirements = maps.Clone(r.Requirements)
	for m, files := range r.Requirements {
		r.Requirements[m] = maps.Clone(files)
	}
	return r
}

// inherit returns r with every field that it does not give taken from base, as extends says.
func (r Runtime) inherit(base Runtime) Runtime {
	out := base.clone()
	out.Name = r.Name
	out.Description = cmp.Or(r.Description, base.Description)
	out.WorkDir = cmp.Or(r.WorkDir, base.WorkDir)
	out.User = cmp.Or(r.User, base.User)
	switch {
	case r.Base() != "":
		out.Image, out.BaseImage = r.Image, r.BaseImage
	case base.Image != "" && r.installs():
		// A runtime that adds packages builds on the image of its base.
		out.Image, out.BaseImage = "", base.Image
	}
	for m, names := range r.Packages {
		if out.Packages == nil {
			out.Packages = Packages{}
		}
		for _, name := range names {
			if !slices.Contains(out.Packages[m], name) {
				out.Packages[m] = append(out.Packages[m], name)
			}
		}
	}
	for m, files := range r.Requirements {
		if out.Requirements == nil {
			out.Requirements = map[Manager]Requirements{}
		}
		out.Requirements[m] = files
	}
	out.SetupCommands = append(out.SetupCommands, r.SetupCommands...)
	if out.Env == nil {
		out.Env = maps.Clone(r.Env)
	} else {
		maps.Copy(out.Env, r.Env)
	}
	return out
}

// installs reports whether anything is installed on the base image.
func (r Runtime) installs() bool {
	for range r.Packages.All() {
		return true
	}
	return len(r.SetupCommands)+len(r.Requirements) > 0
}
