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

// notYAML says "here or below" because yaml.v3 counts lines from 0 or from 1, and names the line
// where the broken element begins, not where it breaks.
const notYAML = "not YAML, here or below: "

// yamlError matches a syntax error of yaml.v3, which names no line if it is the first.
var yamlError = regexp.MustCompile(`^(?:yaml: )?(?:line (\d+): )?((?s:.*))$`)

// parse returns the top node of the single document of a file, or nil for an empty file.
func parse(data []byte) (root *yaml.Node, invalid *Error) {
	// yaml.v3 returns errors for mistakes in the file, and panics for some of its own.
	defer func() {
		if p := recover(); p != nil {
			root, invalid = nil, &Error{Line: 1, Message: fmt.Sprintf(notYAML+"%v", p)}
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

// reader turns nodes of YAML into values, and collects the errors.
type reader struct {
	file    string
	runtime string         // the runtime that is read, or empty
	lines   map[string]int // the line of each field by its path
	errs    []*Error
}

func (r *reader) fail(n *yaml.Node, field, message string) {
	r.errs = append(r.errs, &Error{
		File: r.file, Line: n.Line, Runtime: r.runtime, Field: field, Message: message,
	})
}

// unreported returns errs without those in fields that have an error already: a value of the wrong
// type is not called a wrong value as well.
func (r *reader) unreported(errs []*Error) []*Error {
	reported := map[string]bool{}
	for _, e := range r.errs {
		reported[e.Field] = e.Field != ""
	}
	return slices.DeleteFunc(errs, func(e *Error) bool { return reported[e.Field] })
}

// definition reads a runtime, all but its name.
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
			var ok bool // a uid needs no quotes: literal, not text
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

// requirements reads the files that a mapping names. They have to be below the directory of the
// YAML file, which may come with a project: it must not put other files of the host into an image.
func (r *reader) requirements(n *yaml.Node) map[Manager]Requirements {
	all := map[Manager]Requirements{}
	for key, value := range r.mapping(n, "requirements", "a mapping, such as {pip: requirements.txt}", requirementManagers) {
		m, field := Manager(key.Value), at("requirements", key.Value)
		name, ok := r.text(value, field)
		if !ok {
			continue
		}
		if m == NPM && filepath.Base(name) != npmManifest {
			r.fail(value, field, quote(name)+" is not a "+npmManifest)
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

// requirement reads the file called name and adds it by its base name.
func (r *reader) requirement(files Requirements, name string) error {
	root, err := os.OpenRoot(filepath.Dir(r.file))
	if err != nil {
		return err
	}
	defer root.Close()
	// This comes before Open, which would wait for the writer of a FIFO.
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

// mapping yields the keys and values of a mapping, whose path is field. It refuses a node that is
// no mapping (want says what to write), keys that are not known (nil knows all), and duplicates.
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
		items = append(items, s) // a refused one too, so that the others keep their index
	}
	return items
}

const emptyText = "empty; write a value, or leave the key out"

// text reads a string, which must not be empty.
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

// literal reads a string that needs no quotes even if YAML takes it for a number, a date or a
// boolean. The value is the text in the file: 1.10 does not become 1.1, nor yes true.
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

// mistyped adds the error that n is of another type than wanted.
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
