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

// Lock pins what the definitions of runtimes leave open, so that they yield the same images
// today and in a year. The sandbox package makes one of the images that it has built.
type Lock struct {
	// Version is that of the format: 1.
	Version int `json:"version"`
	// Runtimes are the pins by the runtime's name.
	Runtimes map[string]Locked `json:"runtimes"`
}

// Locked pins one runtime.
type Locked struct {
	// Definition is Runtime.Hash of what was locked, stand-ins applied: pins of another
	// definition are not used.
	Definition string `json:"definition"`
	// Image is the runtime's image with the digest that it had: "NAME@sha256:...". An image
	// that is in no registry has none, and is named as it is.
	Image string `json:"image"`
	// ImageID is the content digest of the image on the engine.
	ImageID string `json:"image_id"`
	// Packages are what was installed, each with its version, and what that needed.
	Packages Packages `json:"packages,omitempty"`
	// Requirements take the place of a manager's packages where it has a form of its own for
	// exact versions.
	Requirements map[Manager]Requirements `json:"requirements,omitempty"`
}

// ReadLock reads a lock file, which is JSON. One of more than 64 MiB is refused.
func ReadLock(path string) (*Lock, error) {
	const most = 64 << 20
	fail := func(message string, err error) (*Lock, error) {
		return nil, &Error{File: path, Message: message, Err: err}
	}
	data, err := readFile(path, most)
	if err != nil {
		return fail("cannot be read: "+cause(err).Error(), err)
	}
	l := &Lock{}
	if err := json.Unmarshal(data, l); err != nil {
		return fail("not a lock file: "+err.Error(), err)
	}
	if l.Version != 1 {
		return fail(fmt.Sprintf("a lock file of version %d, which is unknown; lock the runtimes again", l.Version), nil)
	}
	return l, nil
}

// Write writes the lock to a file, which it replaces at once.
func (l *Lock) Write(path string) error {
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

// ErrLock is what errors.Is finds where a lock is of another definition than there is.
var ErrLock = errors.New("locked with another definition")

// Locked returns the catalogue with the pins of a lock: its runtimes are built on the image of
// that digest, from packages of those versions. A runtime whose definition has changed since is
// an error, and so is one that is no longer there; those that are not in the lock stay as they
// are, and with a nil lock all do.
func (c *Catalog) Locked(l *Lock) (*Catalog, error) {
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
			errs = append(errs, &Error{Message: "the lock has a runtime " + quote(name) +
				", which is not there any more; lock the runtimes again", Err: ErrUnknownRuntime})
			continue
		case r.Hash() != pins.Definition:
			errs = append(errs, &Error{Runtime: name, Message: "has changed since it was locked; lock it again", Err: ErrLock})
			continue
		}
		r = pins.apply(r)
		for _, e := range append(r.checkFields(), r.checkWhole()...) {
			e.Message = "the lock has what no runtime may have: " + e.Message
			errs = append(errs, e)
		}
		next.locks[name] = pins
	}
	if err := join(errs); err != nil {
		return nil, err
	}
	return next, nil
}

// apply returns the runtime with the pins.
func (l Locked) apply(r Runtime) Runtime {
	if r.Image != "" {
		r.Image = l.Image
	} else {
		r.BaseImage = l.Image
	}
	if r.StandIn.Image != "" {
		r.StandIn.Image = l.Image
	}
	if r.Packages = maps.Clone(r.Packages); r.Packages == nil {
		r.Packages = Packages{}
	}
	for m := range l.Requirements {
		delete(r.Packages, m) // they are among the requirements
		if r.Requirements == nil {
			r.Requirements = map[Manager]Requirements{}
		}
		r.Requirements[m] = maps.Clone(l.Requirements[m])
	}
	for m, packages := range l.Packages {
		r.Packages[m] = slices.Clone(packages)
	}
	return r
}
