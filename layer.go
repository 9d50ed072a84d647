package drydock

import (
	"fmt"

	"gopkg.in/yaml.v3"
)

// maxRuntimes is how many runtimes one file may define. Together with maxEntries it bounds what a
// file can grow to: by extends, each of many short definitions is as long as its base.
const maxRuntimes = 1000

// The keys of a file and of a runtime, in the order in which error messages list them.
var (
	fileKeys    = []string{"version", "stand_ins", "mirrors", "runtimes"}
	runtimeKeys = []string{
		"description", "extends", "image", "base_image", "packages", "package_manager",
		"requirements", "setup_commands", "env", "work_dir", "user",
	}
)

// layer is one file as it was read, before its runtimes are extended.
type layer struct {
	file     string
	names    []string // in order
	runtimes map[string]definition
	standIns map[string]string
	mirrors  map[string]string
	errs     []*Error
}

// definition is a runtime as a file defines it.
type definition struct {
	Runtime
	extends string
	lines   map[string]int // the line of each field by its path; "" is the runtime itself
	invalid bool           // a field is refused, so the whole is not checked
}

// fail adds an error at the line of a definition's field.
func (l *layer) fail(d definition, field, message string, err error) {
	l.place([]*Error{{Field: field, Message: message, Err: err}}, d)
}

// place adds errors about a definition, and gives each its file and the line of its field.
func (l *layer) place(errs []*Error, d definition) {
	for _, e := range errs {
		e.File, e.Runtime, e.Line = l.file, d.Name, d.lines[""]
		if line, ok := d.lines[e.Field]; ok {
			e.Line = line
		}
	}
	l.errs = append(l.errs, errs...)
}

// readLayer reads a file node by node: the decoder of yaml.v3 would stop at the first unknown key,
// name Go types in its errors, and expand aliases.
func readLayer(file string, data []byte) *layer {
	l := &layer{file: file, runtimes: map[string]definition{}, standIns: map[string]string{}, mirrors: map[string]string{}}
	root, err := parse(data)
	if err != nil {
		err.File = file
		l.errs = append(l.errs, err)
		return l
	}
	if root == nil {
		return l // the file has nothing but comments
	}
	r := &reader{file: file, lines: map[string]int{}}
	for key, value := range r.mapping(root, "", "runtimes: {NAME: {base_image: IMAGE}}", fileKeys) {
		switch key.Value {
		case "version":
			if value.Value != "1" || value.ShortTag() != "!!int" {
				r.fail(value, "version", "not a version of this format; write 1")
			}
		case "stand_ins":
			l.readStandIns(r, value)
		case "mirrors":
			l.readMirrors(r, value)
		case "runtimes":
			l.readRuntimes(r, value)
		}
	}
	l.errs = append(l.errs, r.errs...)
	return l
}

func (l *layer) readStandIns(r *reader, n *yaml.Node) {
	const want = "a mapping of images to those used in their place"
	for key, value := range r.mapping(n, "stand_ins", want, nil) {
		if message := checkImage(key.Value); message != "" {
			r.fail(key, "stand_ins", message)
			continue
		}
		field := at("stand_ins", key.Value)
		local, ok := r.text(value, field)
		if !ok {
			continue
		}
		if message := checkImage(local); message != "" {
			r.fail(value, field, message)
		}
		l.standIns[key.Value] = local
	}
}

func (l *layer) readMirrors(r *reader, n *yaml.Node) {
	const want = "a mapping of registries to their mirrors, such as {docker.io: registry.example.com/hub}"
	for key, value := range r.mapping(n, "mirrors", want, nil) {
		if !registryForm.MatchString(key.Value) {
			r.fail(key, "mirrors", quote(key.Value)+" is not a registry; write a host, or host:port, such as docker.io")
			continue
		}
		field := at("mirrors", key.Value)
		mirror, ok := r.text(value, field)
		if !ok {
			continue
		}
		if len(mirror) > 255 || !mirrorForm.MatchString(mirror) {
			r.fail(value, field, quote(mirror)+" cannot hold images; write a registry, or a path in one, "+
				"such as registry.example.com/hub")
			continue
		}
		l.mirrors[key.Value] = mirror
	}
}

func (l *layer) readRuntimes(r *reader, n *yaml.Node) {
	const want = "a mapping, such as {NAME: {base_image: IMAGE}}"
	for key, value := range r.mapping(n, "runtimes", want, nil) {
		if len(l.names) == maxRuntimes {
			r.fail(key, "runtimes", fmt.Sprintf("more than %d; split the file", maxRuntimes))
			break
		}
		sub := &reader{file: r.file, runtime: key.Value, lines: map[string]int{"": key.Line}}
		d := sub.definition(value)
		d.Name = key.Value
		l.names = append(l.names, d.Name)
		l.errs = append(l.errs, sub.errs...)
		problems := sub.unreported(d.checkFields())
		l.place(problems, d)
		d.invalid = len(sub.errs)+len(problems) > 0
		l.runtimes[d.Name] = d
	}
}
