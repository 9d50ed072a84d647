package drydock

import (
	"fmt"
	"slices"
	"strings"
)

// extender completes the runtimes of one file by the runtimes that they extend.
type extender struct {
	layer    *layer
	earlier  *Catalog            // the runtimes of the files before
	complete map[string]*Runtime // nil for a runtime with an error, which is reported already
	chain    []string            // the runtimes under way, each extending the next
}

// runtime returns a runtime of the file, complete. It returns nil if that runtime or one that it
// extends has an error.
func (e *extender) runtime(name string) *Runtime {
	if r, ok := e.complete[name]; ok {
		return r
	}
	d := e.layer.runtimes[name]
	e.chain = append(e.chain, name)
	r := e.extend(d)
	e.chain = e.chain[:len(e.chain)-1]
	e.complete[name] = r
	return r
}

func (e *extender) extend(d definition) *Runtime {
	r := d.Runtime
	if d.invalid {
		return nil
	}
	if d.extends != "" {
		base := e.base(d)
		if base == nil {
			return nil
		}
		r = r.inherit(*base)
		if message := r.checkSize(); message != "" {
			e.layer.fail(d, "", message, nil)
			return nil
		}
	}
	problems := r.checkWhole()
	e.layer.place(problems, d)
	if len(problems) > 0 {
		return nil
	}
	return &r
}

// base finds the runtime that d extends. A runtime of the same file comes before one of an earlier
// file, but d's own name means the earlier one.
func (e *extender) base(d definition) *Runtime {
	if _, here := e.layer.runtimes[d.extends]; here && d.extends != d.Name {
		if at := slices.Index(e.chain, d.extends); at >= 0 {
			e.layer.fail(d, "extends", "is a circle: "+
				strings.Join(e.chain[at:], " -> ")+" -> "+d.extends+
				"; give one of them an image instead", nil)
			return nil
		}
		return e.runtime(d.extends)
	}
	if r, ok := e.earlier.runtimes[d.extends]; ok {
		return &r
	}
	if d.extends == d.Name {
		e.layer.fail(d, "extends", fmt.Sprintf("%q is its own name and no earlier file defines it; "+
			"write image or base_image", d.Name), ErrUnknownRuntime)
		return nil
	}
	if len(e.layer.errs) >= maxErrors {
		// Nobody will read this one, and to search a thousand names a thousand times takes seconds.
		e.layer.fail(d, "extends", "unknown runtime", ErrUnknownRuntime)
		return nil
	}
	known := slices.Clone(e.earlier.names)
	for _, name := range e.layer.names {
		if !slices.Contains(e.earlier.names, name) && name != d.Name {
			known = append(known, name)
		}
	}
	e.layer.fail(d, "extends", unknown("runtime", d.extends, known), ErrUnknownRuntime)
	return nil
}
