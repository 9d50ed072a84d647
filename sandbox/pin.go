package sandbox

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// Pin pins the named runtimes of a catalogue, or all if no name is given, to what the engine
// has: the digest of the base image, and the version of every package that was installed. It
// builds missing images. The lock file is for drydock.Catalog.Locked.
//
// Pin opens a sandbox on each runtime and one on its base image, and asks the package managers
// for their packages. Packages of the base image are not pinned, because the digest fixes them.
func Pin(ctx context.Context, images *image.Builder, names ...string) (*drydock.LockFile, error) {
	lock, err := pinAll(ctx, images, names)
	return lock, failure("pin", "", err)
}

func pinAll(ctx context.Context, images *image.Builder, names []string) (*drydock.LockFile, error) {
	images, err := images.Resolve()
	if err != nil {
		return nil, err
	}
	if len(names) == 0 {
		for _, r := range images.Catalog.All() {
			names = append(names, r.Name)
		}
	}
	lock := &drydock.LockFile{Version: 1, Runtimes: make(map[string]drydock.Pins)}
	for _, name := range names {
		r, err := images.Catalog.Runtime(name)
		if err != nil {
			err = invalid("%w", err)
		} else {
			lock.Runtimes[name], err = pin(ctx, images, r)
		}
		if err != nil {
			return nil, failure("pin", name, err)
		}
	}
	return lock, nil
}

func pin(ctx context.Context, images *image.Builder, r drydock.Runtime) (drydock.Pins, error) {
	pins := drydock.Pins{Definition: r.Hash(), Packages: drydock.Packages{}, Requirements: map[drydock.Manager]drydock.Requirements{}}
	e, err := engine.Require[engine.Images](ctx, images.Engine)
	if err != nil {
		return pins, err
	}
	sb, err := Open(ctx, &Options{Runtime: r.Name, Images: images})
	if err != nil {
		return pins, err
	}
	defer sb.Close()
	info, err := e.InspectImage(ctx, r.Base())
	if err != nil {
		return pins, err
	}
	pins.Image, pins.ImageID = pinned(r.Base(), info.Digests), info.ID
	base := func() (*Sandbox, error) { return Open(ctx, &Options{Image: r.Base(), Images: images}) }
	for _, m := range drydock.Managers() {
		if len(r.Packages[m])+len(r.Requirements[m]) == 0 {
			continue
		}
		var packages []string
		if m == drydock.NPM {
			pins.Requirements[m], err = npmLock(ctx, sb)
		} else {
			packages, err = versions(ctx, sb, base, m, r.Packages[m])
		}
		if err != nil {
			return pins, fmt.Errorf("the versions of %s: %w", m, err)
		}
		if len(packages) == 0 {
			continue
		}
		if files := pinFiles(r.Requirements[m], packages); files != nil {
			pins.Requirements[m] = files
		} else {
			pins.Packages[m] = packages
		}
	}
	return pins, nil
}

// pinned returns the image's reference with its digest, or ref itself if the image has none.
func pinned(ref string, digests []string) string {
	name, _, _ := strings.Cut(ref, "@")
	if i := strings.LastIndexByte(name, ':'); i > strings.LastIndexByte(name, '/') {
		name = name[:i]
	}
	for _, d := range digests {
		repository, digest, ok := strings.Cut(d, "@")
		// podman names the image docker.io/library/python that docker names python.
		if ok && (repository == name || strings.HasSuffix(repository, "/"+name)) {
			return name + "@" + digest
		}
	}
	return ref
}

// pinFiles returns requirement files of pip with the versions of packages appended: pip heeds
// every line about a package. It returns nil if there are no files, or if a file has hashes:
// such a file pins everything, and pip accepts no line without a hash in it.
func pinFiles(files drydock.Requirements, packages []string) drydock.Requirements {
	var pinned drydock.Requirements
	for name, text := range files {
		if strings.Contains(text, "--hash") {
			return nil
		}
		pinned = drydock.Requirements{name: strings.TrimRight(text, "\n") + "\n" + strings.Join(packages, "\n") + "\n"}
	}
	return pinned
}

// npmLock returns the files of the project that npm installed from.
func npmLock(ctx context.Context, sb *Sandbox) (drydock.Requirements, error) {
	files := drydock.Requirements{}
	for _, name := range []string{"package.json", "package-lock.json"} {
		text, err := sb.ReadFile(ctx, path.Join(image.NPMProject, name), nil)
		if err != nil {
			return nil, err
		}
		files[name] = string(text)
	}
	return files, nil
}

// lister lists the packages of a package manager.
type lister struct {
	args []string // the command
	// read returns the packages with their versions, in the form that the manager installs.
	read func(output []byte) ([]string, error)
}

var (
	apkLine   = regexp.MustCompile(`^(.+)-([0-9][^-]*-r[0-9]+)$`)
	cargoLine = regexp.MustCompile(`^([A-Za-z0-9_-]+) v(\S+):$`)
)

var listers = map[drydock.Manager]lister{
	drydock.Apt: {[]string{"dpkg-query", "--show", "--showformat=${Package}=${Version}\n"}, func(output []byte) ([]string, error) {
		return strings.Fields(string(output)), nil
	}},
	drydock.Apk: {[]string{"apk", "info", "-v"}, func(output []byte) (all []string, err error) {
		for line := range strings.FieldsSeq(string(output)) {
			if m := apkLine.FindStringSubmatch(line); m != nil {
				all = append(all, m[1]+"="+m[2])
			}
		}
		return all, nil
	}},
	drydock.Pip: {[]string{"python3", "-m", "pip", "list", "--format=json", "--disable-pip-version-check"}, func(output []byte) (all []string, err error) {
		var packages []struct{ Name, Version string }
		err = json.Unmarshal(output, &packages)
		for _, p := range packages {
			all = append(all, p.Name+"=="+p.Version)
		}
		return all, err
	}},
	drydock.Cargo: {[]string{"cargo", "install", "--list", "--root=/usr/local"}, func(output []byte) (all []string, err error) {
		for line := range strings.Lines(string(output)) {
			if m := cargoLine.FindStringSubmatch(strings.TrimRight(line, "\n")); m != nil {
				all = append(all, m[1]+"@"+m[2])
			}
		}
		return all, nil
	}},
	drydock.Go: {[]string{"go", "version", "-m", "/usr/local/bin"}, func(output []byte) (all []string, err error) {
		module := ""
		for line := range strings.Lines(string(output)) {
			switch f := strings.Fields(line); {
			case len(f) == 2 && f[0] == "path":
				module = f[1]
			case len(f) >= 3 && f[0] == "mod" && module != "":
				all, module = append(all, module+"@"+f[2]), ""
			}
		}
		return all, nil
	}},
}

// versions returns the packages that a manager has in the sandbox and not in the base image.
func versions(ctx context.Context, sb *Sandbox, base func() (*Sandbox, error), m drydock.Manager, asked []string) ([]string, error) {
	l := listers[m]
	there, err := l.list(ctx, sb)
	if err != nil {
		return nil, err
	}
	b, err := base()
	if err != nil {
		return nil, err
	}
	defer b.Close()
	before := make(map[string]bool)
	// A base without the manager has none of its packages.
	if old, err := l.list(ctx, b); err == nil {
		for _, p := range old {
			before[p] = true
		}
	} else if _, failed := errors.AsType[*commandFailed](err); !failed {
		return nil, err
	}
	out := slices.DeleteFunc(there, func(p string) bool { return before[p] })
	if len(out) == 0 && len(asked) > 0 {
		return slices.Clone(asked), nil // the base image has them all, and its digest pins them
	}
	slices.Sort(out)
	return slices.Compact(out), nil
}

// commandFailed is the error of a package manager that is missing or failed.
type commandFailed struct{ text string }

func (e *commandFailed) Error() string { return e.text }

func (l *lister) list(ctx context.Context, sb *Sandbox) ([]string, error) {
	cmd := sb.Command(l.args[0], l.args[1:]...)
	cmd.Capture = 16 << 20
	r, err := cmd.Run(ctx)
	e, ok := errors.AsType[*Error](err)
	switch {
	case ok && e.Code == CodeCommandNotFound:
		return nil, &commandFailed{err.Error()}
	case err != nil:
		return nil, err
	case !r.OK() || r.StdoutDropped > 0:
		return nil, &commandFailed{fmt.Sprintf("%s: %s, exit code %d: %s", l.args[0], r.Outcome, r.ExitCode, printable.Text(string(r.Stderr)))}
	}
	all, err := l.read(r.Stdout)
	if err != nil {
		return nil, &commandFailed{fmt.Sprintf("%s: %v", l.args[0], err)}
	}
	return all, nil
}
