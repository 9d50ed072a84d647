package drydock

import (
	"cmp"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
)

//go:embed runtimes.yaml
var presetFile []byte

// EnvFiles is the environment variable that names the overlay files of [Default]. They are
// separated as the directories of PATH are.
const EnvFiles = "DRYDOCK_RUNTIMES"

// maxFile is how many bytes an overlay file may have.
const maxFile = 1 << 20

// Catalog holds runtimes by name. It never changes: a method that adds to it returns another one,
// so any number of goroutines may share it. The zero value holds no runtime.
type Catalog struct {
	names    []string           // in the order in which they were first defined
	runtimes map[string]Runtime // without stand-ins, which a later file may still add
	standIns map[string]string  // by the image that they replace
	mirrors  map[string]string  // by the registry that they replace
	pins     map[string]Pins    // by runtime, of its definition today
}

var presets = sync.OnceValue(func() *Catalog {
	c, err := new(Catalog).overlay("runtimes.yaml", presetFile)
	if err != nil {
		panic(err) // the file is part of the program, and tested
	}
	return c
})

// Presets returns the runtimes that come with Drydock.
func Presets() *Catalog { return presets() }

// Load returns the presets with the overlay files at paths laid over them in order. A file of
// more than 1 MiB is refused. The error joins everything that is wrong with the first file that
// has errors, each as an [*Error] with file and line.
func Load(paths ...string) (*Catalog, error) {
	c := Presets()
	for _, path := range paths {
		data, err := readFile(path, maxFile)
		if err != nil {
			return nil, &Error{File: path, Message: "cannot be read: " + cause(err).Error(), Err: err}
		}
		if c, err = c.overlay(path, data); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// Default is [Load] with the files that the environment variable DRYDOCK_RUNTIMES names. If it is
// unset or empty, Default returns the presets alone.
func Default() (*Catalog, error) {
	var paths []string
	for _, path := range filepath.SplitList(os.Getenv(EnvFiles)) {
		if path != "" {
			paths = append(paths, path)
		}
	}
	return Load(paths...)
}

// With returns a catalogue that holds rs as well. Each replaces an earlier runtime of its name.
func (c *Catalog) With(rs ...Runtime) (*Catalog, error) {
	next := c.clone()
	var errs []error
	for _, r := range rs {
		errs = append(errs, r.Validate())
		if r.Name == "" {
			errs = append(errs, &Error{Message: "a runtime without a name; set Name"})
		}
		next.put(r.clone())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return next, nil
}

// Runtime returns the runtime of that name, with defaults, stand-ins and pins applied. For an
// unknown name the error is ErrUnknownRuntime to errors.Is, and lists the names that are known.
func (c *Catalog) Runtime(name string) (Runtime, error) {
	r, ok := c.runtimes[name]
	if !ok {
		return Runtime{}, &Error{
			Message: unknown("runtime", name, c.names), Err: ErrUnknownRuntime,
		}
	}
	return c.pinned(r), nil
}

// pinned returns a runtime of the catalogue, resolved and with the pins it has, if any.
func (c *Catalog) pinned(r Runtime) Runtime {
	out := c.resolve(r)
	if pins, ok := c.pins[r.Name]; ok {
		out = pins.apply(out)
	}
	return out
}

// Resolve validates a runtime that is in no catalogue and returns it with defaults and the
// catalogue's stand-ins applied. Runtime{Image: ref} is a runtime of any image.
func (c *Catalog) Resolve(r Runtime) (Runtime, error) {
	if err := r.Validate(); err != nil {
		return Runtime{}, err
	}
	return c.resolve(r), nil
}

// All returns every runtime as Runtime does, in the order in which files first defined them.
func (c *Catalog) All() []Runtime {
	all := make([]Runtime, len(c.names))
	for i, name := range c.names {
		all[i] = c.pinned(c.runtimes[name])
	}
	return all
}

func (c *Catalog) resolve(r Runtime) Runtime {
	r = r.clone()
	r.WorkDir = cmp.Or(r.WorkDir, DefaultWorkDir)
	// A copy of a runtime on a stand-in is on it as well, unless it was given another image.
	if r.StandIn.Image != r.Base() {
		r.StandIn = StandIn{}
	}
	image := r.Base()
	local, ok := c.standIns[image]
	if !ok {
		local = c.mirrored(image)
	}
	if local == image {
		return r
	}
	r.StandIn = StandIn{Image: local, For: image}
	if r.Image != "" {
		r.Image = local
	} else {
		r.BaseImage = local
	}
	return r
}

// mirrored returns the name of an image at the mirror of its registry, or the name itself if the
// registry has no mirror.
func (c *Catalog) mirrored(image string) string {
	const hub = "docker.io"
	registry, path, named := strings.Cut(image, "/")
	if !named || !strings.ContainsAny(registry, ".:") && registry != "localhost" {
		if registry, path = hub, image; !named {
			path = "library/" + image
		}
	}
	mirror, ok := c.mirrors[registry]
	if !ok {
		return image
	}
	return mirror + "/" + path
}

func (c *Catalog) clone() *Catalog {
	next := &Catalog{names: slices.Clone(c.names), runtimes: map[string]Runtime{},
		standIns: map[string]string{}, mirrors: map[string]string{}, pins: map[string]Pins{}}
	maps.Copy(next.runtimes, c.runtimes)
	maps.Copy(next.standIns, c.standIns)
	maps.Copy(next.mirrors, c.mirrors)
	maps.Copy(next.pins, c.pins)
	return next
}

// put adds a runtime, for a catalogue that nobody else has yet.
func (c *Catalog) put(r Runtime) {
	if _, ok := c.runtimes[r.Name]; !ok {
		c.names = append(c.names, r.Name)
	}
	c.runtimes[r.Name] = r
	delete(c.pins, r.Name)
}

// overlay returns the catalogue with the runtimes, stand-ins and mirrors of a file.
func (c *Catalog) overlay(file string, data []byte) (*Catalog, error) {
	l := readLayer(file, data)
	next := c.clone()
	maps.Copy(next.standIns, l.standIns)
	maps.Copy(next.mirrors, l.mirrors)
	e := extender{layer: l, earlier: c, complete: map[string]*Runtime{}}
	for _, name := range l.names {
		if r := e.runtime(name); r != nil {
			next.put(*r)
		}
	}
	if err := join(l.errs); err != nil {
		return nil, err
	}
	return next, nil
}

// readFile reads a file of at most limit bytes.
func readFile(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("more than %d bytes", limit)
	}
	return data, err
}

// cause returns err without its path, which the message has already.
func cause(err error) error {
	if p, ok := errors.AsType[*os.PathError](err); ok {
		return p.Err
	}
	return err
}
