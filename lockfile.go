package drydock

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
)

// maxLockFile is how many bytes a lock file may have.
const maxLockFile = 64 << 20

// LockFile pins what the definitions of runtimes leave open, so that they yield the same images
// today and in a year. The sandbox package makes one from the images that it has built.
type LockFile struct {
	// Version is the version of the format: 1.
	Version int `json:"version"`
	// Runtimes holds the pins of each runtime by its name.
	Runtimes map[string]Pins `json:"runtimes"`
}

// Pins are the exact image and packages of one runtime.
type Pins struct {
	// Definition is the Runtime.Hash that the runtime had, stand-ins applied, when it was
	// locked. Pins are not used for another definition.
	Definition string `json:"definition"`
	// Image is the runtime's image with the digest that it had: "NAME@sha256:...". An image
	// that came from no registry has no digest, and has its plain name here.
	Image string `json:"image"`
	// ImageID is the content digest of the image on the engine.
	ImageID string `json:"image_id"`
	// Packages are the packages that were installed, their dependencies included, each with
	// its version.
	Packages Packages `json:"packages,omitempty"`
	// Requirements replace the packages of a manager that has a file format of its own for
	// exact versions.
	Requirements map[Manager]Requirements `json:"requirements,omitempty"`
}

// ReadLockFile reads a lock file, which is JSON. A file of more than 64 MiB is refused.
func ReadLockFile(path string) (*LockFile, error) {
	fail := func(message string, err error) (*LockFile, error) {
		return nil, &Error{File: path, Message: message, Err: err}
	}
	data, err := readFile(path, maxLockFile)
	if err != nil {
		return fail("cannot be read: "+cause(err).Error(), err)
	}
	l := &LockFile{}
	if err := json.Unmarshal(data, l); err != nil {
		return fail("not a lock file: "+err.Error(), err)
	}
	if l.Version != 1 {
		return fail(fmt.Sprintf("a lock file of version %d, which is unknown; lock the runtimes again", l.Version), nil)
	}
	return l, nil
}

// Write writes the lock file to path. It replaces a file there in one step, so that a reader
// never sees half of it.
func (l *LockFile) Write(path string) error {
	out := *l
	out.Version = 1
	data, err := json.MarshalIndent(&out, "", "  ") // maps in the order of their keys
	if err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".runtimes-*.lock")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(append(data, '\n'))
	if err == nil {
		err = f.Chmod(0o644)
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

// ErrDefinitionChanged is what errors.Is finds if a runtime is defined in another way now than
// when it was locked.
var ErrDefinitionChanged = errors.New("the definition has changed since it was locked")

// Locked returns the catalogue with the pins of a lock file: its runtimes are built on images
// of those digests, from packages of those versions. A runtime of the lock file that the
// catalogue lacks (ErrUnknownRuntime) or defines in another way now (ErrDefinitionChanged) is an
// error. Runtimes that are not in the lock file stay as they are. With a nil lock file all do.
func (c *Catalog) Locked(l *LockFile) (*Catalog, error) {
	next := c.clone()
	if l == nil {
		return next, nil
	}
	var errs []*Error
	for _, name := range slices.Sorted(maps.Keys(l.Runtimes)) {
		pins := l.Runtimes[name]
		r, ok := c.runtimes[name]
		r = c.resolve(r)
		switch {
		case !ok:
			errs = append(errs, &Error{Message: "the lock file pins the runtime " + quote(name) +
				", which is not defined any more; lock the runtimes again", Err: ErrUnknownRuntime})
			continue
		case r.Hash() != pins.Definition:
			errs = append(errs, &Error{Runtime: name, Message: "has changed since it was locked; lock it again",
				Err: ErrDefinitionChanged})
			continue
		}
		r = pins.apply(r)
		for _, e := range append(r.checkFields(), r.checkWhole()...) {
			e.Message = "refused in the lock file: " + e.Message
			errs = append(errs, e)
		}
		next.pins[name] = pins
	}
	if err := join(errs); err != nil {
		return nil, err
	}
	return next, nil
}

// apply returns the runtime with its image and packages pinned.
func (p Pins) apply(r Runtime) Runtime {
	if r.Image != "" {
		r.Image = p.Image
	} else {
		r.BaseImage = p.Image
	}
	if r.StandIn.Image != "" {
		r.StandIn.Image = p.Image
	}
	if r.Packages = maps.Clone(r.Packages); r.Packages == nil {
		r.Packages = Packages{}
	}
	for m := range p.Requirements {
		delete(r.Packages, m) // they are among the requirements
		if r.Requirements == nil {
			r.Requirements = map[Manager]Requirements{}
		}
		r.Requirements[m] = maps.Clone(p.Requirements[m])
	}
	for m, packages := range p.Packages {
		r.Packages[m] = slices.Clone(packages)
	}
	return r
}
