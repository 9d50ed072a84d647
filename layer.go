package drydock

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"gopkg.in/yaml.v3"
)

// maxRuntimes bounds a file together with maxEntries: extends can make each of many short
// definitions as long as the longest.
const maxRuntimes = 1000

// The keys of a file and of a runtime, as error messages list them.
var (
	fileKeys    = []string{"version", "stand_ins", "mirrors", "runtimes"}
	runtimeKeys = []string{
		"description", "extends", "image", "base_image", "packages", "package_manager",
		"requirements", "setup_commands", "env", "work_dir", "user",
	}
)

// layer is one file as it was read, before extends is followed.
type layer struct {
	file     string
	names    []string // in order
	runtimes map[string]definition
	standIns map[string]string
	mirrors  map[string]string
	errs     []*Error
}

// definition is a runtime with what only its file knows of it.
type definition struct {
	Runtime
	extends string
	lines   map[string]int // of each field by its path; "" is the runtime's own
	bad     bool           // has errors of its own: no use in checking it as a whole
}

// fail adds an error at the line of a definition's field.
func (l *layer) fail(d definition, field, message string, err error) {
	l.place([]*Error{{Field: field, Message: message, Err: err}}, d)
}

// place adds errors that know no file yet, and gives them one, and the line of their field.
func (l *layer) place(errs []*Error, d definition) {
	for _, e := range errs {
		e.File, e.Runtime, e.Line = l.file, d.Name, d.lines[""]
		if line, ok := d.lines[e.Field]; ok {
			e.Line = line
		}
	}
	l.errs = append(l.errs, errs...)
}

// readLayer reads a file. yaml.v3's own decoding stops at the first unknown key, names Go types
// and expands aliases; going through the nodes does none of it.
func readLayer(file string, data []byte) *layer {
	l := &layer{file: file, runtimes: map[string]definition{}, standIns: map[string]string{}, mirrors: map[string]string{}}
	root, err := parse(data)
	if err != nil {
		err.File = file
		l.errs = append(l.errs, err)
		return l
	}
	if root == nil {
		return l // nothing but comments
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
			r.fail(key, "mirrors", quote(key.Value)+" is no registry; write a host, or host:port, such as docker.io")
			continue
		}
		field := at("mirrors", key.Value)
		mirror, ok := r.text(value, field)
		if !ok {
			continue
		}
		if len(mirror) > 255 || !mirrorForm.MatchString(mirror) {
			r.fail(value, field, quote(mirror)+" is no place for images; write a registry, and where it "+
				"keeps them, such as registry.example.com/hub")
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
		d.bad = len(sub.errs)+len(problems) > 0
		l.runtimes[d.Name] = d
	}
}

// notYAML is careful since yaml.v3 counts lines from 0 or from 1, and to where the broken thing
// begins rather than to where it breaks.
const notYAML = "not YAML, here or below: "

// yamlError is how yaml.v3 writes a syntax error; it leaves the line out when it is the first.
var yamlError = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)

// parse returns the top node of the single document of a file, or nil for an empty one.
func parse(data []byte) (root *yaml.Node, bad *Error) {
	// yaml.v3 reports what it finds wrong by an error, and its own mistakes by a panic.
	defer func() {
		if p := recover(); p != nil {
			root, bad = nil, &Error{Line: 1, Message: fmt.Sprintf(notYAML+"%v", p)}
		}
	}()
	syntax := func(err error) *Error {
		found := yamlError.FindStringSubmatch(err.Error())
		line, _ := strconv.Atoi(found[1])
		return &Error{Line: max(line, 1), Message: notYAML + found[2], Err: err}
	}
	var doc, second yaml.Node
	dec := yaml.NewDecoder(bytes.NewReader(data))
	switch err := dec.Decode(&doc); {
	case errors.Is(err, io.EOF):
		return nil, nil
	case err != nil:
		return nil, syntax(err)
	}
	switch err := dec.Decode(&second); {
	case err == nil:
		return nil, &Error{Line: second.Line, Message: "a second document; write one per file"}
	case !errors.Is(err, io.EOF):
		return nil, syntax(err)
	}
	return doc.Content[0], nil
}

// reader turns nodes into values, and what they should not be into errors.
type reader struct {
	file    string
	runtime string
	lines   map[string]int // where each field was, by its path
	errs    []*Error
}

func (r *reader) fail(n *yaml.Node, field, message string) {
	r.errs = append(r.errs, &Error{
		File: r.file, Line: n.Line, Runtime: r.runtime, Field: field, Message: message,
	})
}

// unreported drops the errors in fields that have one already: what is of the wrong type need not
// be called a wrong value as well.
func (r *reader) unreported(errs []*Error) []*Error {
	reported := map[string]bool{}
	for _, e := range r.errs {
		reported[e.Field] = e.Field != ""
	}
	return slices.DeleteFunc(errs, func(e *Error) bool { return reported[e.Field] })
}

// definition reads a runtime, but for its name.
func (r *reader) definition(n *yaml.Node) (d definition) {
	d.lines = r.lines
	var packages, manager *yaml.Node
	for key, value := range r.mapping(n, "", "a mapping, such as {base_image: IMAGE}", runtimeKeys) {
		switch field := key.Value; field {
		case "description":
			d.Description, _ = r.text(value, field)
		case "extends":
			d.extends, _ = r.text(value, field)
		case "image":
			d.Image, _ = r.text(value, field)
		case "base_image":
			d.BaseImage, _ = r.text(value, field)
		case "packages":
			packages = value
		case "package_manager":
			manager = value
		case "requirements":
			d.Requirements = r.requirements(value)
		case "setup_commands":
			d.SetupCommands = r.list(value, field)
		case "env":
			d.Env = r.env(value)
		case "work_dir":
			d.WorkDir, _ = r.text(value, field)
		case "user":
			var ok bool // a uid needs no quotes
			if d.User, ok = r.literal(value, field); ok && d.User == "" {
				r.fail(value, field, emptyText)
			}
		}
	}
	d.Packages = r.packages(packages, manager)
	return d
}

func (r *reader) packages(packages, manager *yaml.Node) Packages {
	switch {
	case packages == nil && manager == nil:
		return nil
	case packages == nil:
		r.fail(manager, "package_manager", "without packages; write packages: {pip: [NAME]} alone")
		return nil
	case packages.Kind == yaml.SequenceNode && manager == nil:
		r.fail(packages, "packages", "a list without a manager; "+
			"write packages: {pip: [NAME]}, or add package_manager: pip")
		return nil
	case packages.Kind == yaml.SequenceNode:
		name, ok := r.text(manager, "package_manager")
		if !ok {
			return nil
		}
		r.lines[at("packages", name)] = manager.Line
		return Packages{Manager(name): r.list(packages, at("packages", name))}
	case manager != nil:
		r.fail(manager, "package_manager", "goes with a plain list of packages; "+
			"remove it, packages names the managers")
		return nil
	}
	all := Packages{}
	const want = "a mapping, such as {pip: [NAME]}"
	for key, value := range r.mapping(packages, "packages", want, nil) {
		all[Manager(key.Value)] = r.list(value, at("packages", key.Value))
	}
	return all
}

// requirements reads the files that a mapping names, below the directory of the file itself: it
// may come with a project, and must not put other files of the host into an image.
func (r *reader) requirements(n *yaml.Node) map[Manager]Requirements {
	all := map[Manager]Requirements{}
	for key, value := range r.mapping(n, "requirements", "a mapping, such as {pip: requirements.txt}", requirementManagers) {
		m, field := Manager(key.Value), at("requirements", key.Value)
		name, ok := r.text(value, field)
		if !ok {
			continue
		}
		if m == NPM && filepath.Base(name) != npmManifest {
			r.fail(value, field, quote(name)+" is no "+npmManifest)
			continue
		}
		files := Requirements{}
		err := r.requirement(files, name)
		if lock := filepath.Join(filepath.Dir(name), npmLock); m == NPM && err == nil {
			if err = r.requirement(files, lock); errors.Is(err, fs.ErrNotExist) {
				err = nil
			}
		}
		if err != nil {
			r.fail(value, field, quote(name)+" cannot be read: "+cause(err).Error()+
				"; write a file in the directory of this one, or below")
			continue
		}
		all[m] = files
	}
	return all
}

// requirement adds a file, by its last name.
func (r *reader) requirement(files Requirements, name string) error {
	root, err := os.OpenRoot(filepath.Dir(r.file))
	if err != nil {
		return err
	}
	defer root.Close()
	// Before it is opened: a FIFO would wait for its writer.
	if info, err := root.Stat(filepath.FromSlash(name)); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, errors.New("not a regular file"))
	}
	f, err := root.Open(filepath.FromSlash(name))
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxRequirements+1))
	files[filepath.Base(name)] = string(text)
	return err
}

func (r *reader) env(n *yaml.Node) map[string]string {
	env := map[string]string{}
	for key, value := range r.mapping(n, "env", "a mapping, such as {NAME: value}", nil) {
		if s, ok := r.literal(value, at("env", key.Value)); ok {
			env[key.Value] = s
		}
	}
	return env
}

// mapping yields the keys and values of a mapping, and refuses what is none, keys not among known
// (unless that is nil), and keys that come twice. field is the path of the mapping.
func (r *reader) mapping(n *yaml.Node, field, want string, known []string) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		if n.Kind != yaml.MappingNode {
			r.mistyped(n, field, want)
			return
		}
		first := map[string]int{}
		for i := 0; i+1 < len(n.Content); i += 2 {
			key, value := n.Content[i], n.Content[i+1]
			if key.Kind != yaml.ScalarNode || key.ShortTag() == "!!null" || key.ShortTag() == "!!merge" {
				r.mistyped(key, field, "a name before the colon")
				continue
			}
			if line, ok := first[key.Value]; ok {
				r.fail(key, field, fmt.Sprintf("%s is given twice, first on line %d; remove one",
					quote(key.Value), line))
				continue
			}
			first[key.Value] = key.Line
			if known != nil && !slices.Contains(known, key.Value) {
				r.fail(key, field, unknown("key", key.Value, known))
				continue
			}
			path := key.Value
			if field != "" {
				path = at(field, key.Value)
			}
			r.lines[path] = key.Line
			if !yield(key, value) {
				return
			}
		}
	}
}

func (r *reader) list(n *yaml.Node, field string) []string {
	if n.Kind != yaml.SequenceNode {
		r.mistyped(n, field, "a list, such as [A, B]")
		return nil
	}
	var items []string
	for i, item := range n.Content {
		s, _ := r.text(item, fmt.Sprintf("%s[%d]", field, i))
		items = append(items, s) // also what is refused, so that the others keep their number
	}
	return items
}

const emptyText = "empty; write a value, or leave the key out"

// text reads a string that is not empty.
func (r *reader) text(n *yaml.Node, field string) (string, bool) {
	r.lines[field] = n.Line
	switch {
	case n.Kind != yaml.ScalarNode || n.ShortTag() != "!!str":
		r.mistyped(n, field, "text")
	case n.Value == "":
		r.fail(n, field, emptyText)
	default:
		return n.Value, true
	}
	return "", false
}

// literal reads a string that may be written without quotes where YAML sees a number, a date or a
// boolean. It is taken as it stands in the file: 1.10 is not 1.1, nor yes true.
func (r *reader) literal(n *yaml.Node, field string) (string, bool) {
	r.lines[field] = n.Line
	if n.Kind == yaml.ScalarNode {
		switch n.ShortTag() {
		case "!!str", "!!int", "!!float", "!!bool", "!!timestamp":
			return n.Value, true
		}
	}
	r.mistyped(n, field, "text")
	return "", false
}

// mistyped says that n is not what is wanted, and what it is.
func (r *reader) mistyped(n *yaml.Node, field, want string) {
	found := "a value of type " + quote(n.ShortTag())
	switch {
	case n.Kind == yaml.AliasNode || n.ShortTag() == "!!merge":
		r.fail(n, field, "aliases and merge keys are not read; write the value out, or use extends")
		return
	case n.Kind == yaml.MappingNode:
		found = "a mapping"
	case n.Kind == yaml.SequenceNode:
		found = "a list"
	case n.ShortTag() == "!!null":
		found = "nothing"
	case n.ShortTag() == "!!str":
		found = "text"
	case n.ShortTag() == "!!int" || n.ShortTag() == "!!float":
		found = "a number"
	case n.ShortTag() == "!!bool":
		found = "a boolean"
	}
	if want == "text" && n.Kind == yaml.ScalarNode && found != "nothing" {
		want = "it in quotes"
	}
	r.fail(n, field, "found "+found+"; write "+want)
}
