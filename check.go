package drydock

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Limits that keep a hostile or mistaken file from costing memory: with extends, a runtime can be
// many times the text that defines it.
const (
	maxEntries = 1000      // packages, setup commands and variables of one runtime together
	maxText    = 32 * 1024 // bytes of one value; a line of a Dockerfile holds 64 KiB
	maxNames   = 60_000    // bytes of one manager's packages, which are one such line

	maxRequirements = 4 << 20 // bytes of one file
)

// manager is a package manager with the form of its packages and an example of it.
type manager struct {
	name Manager
	form *regexp.Regexp
	hint string
}

// managers are the package managers in install order. The
// forms admit names and versions from the manager's registry only: no options, paths or URLs.
var managers = []manager{
	// A trailing '-' would have apt remove the package.
	{Apt, form(`[a-z0-9][a-z0-9+.-]*[a-z0-9+.](:[a-z0-9]+(-[a-z0-9]+)*)?` +
		`([=/][A-Za-z0-9]([A-Za-z0-9.+~:_-]*[A-Za-z0-9+~])?)?`), "git or git=1:2.39.5-0"},
	{Apk, form(`[A-Za-z0-9][A-Za-z0-9+._-]*((=|~=?|[<>]=?)[0-9][A-Za-z0-9._-]*)?(@[a-z0-9]+)?`),
		"git or nodejs~20"},
	// https://packaging.python.org/specifications/dependency-specifiers, without markers and URLs.
	{Pip, form(`[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?(\[` + extra + `(,` + extra + `)*\])?` +
		`(` + pin + `(,` + pin + `)*)?`), "pandas>=2,<3 or httpx[http2]==0.27, without spaces"},
	// Without a scope there is no '/': npm takes a/b for a repository on GitHub.
	{NPM, form(`(@[A-Za-z0-9][A-Za-z0-9._~-]*/)?[A-Za-z0-9][A-Za-z0-9._~-]*` +
		`(@([~^=]|[<>]=?)?[A-Za-z0-9*][A-Za-z0-9.*+_-]*)?`), "react or @types/react@18"},
	{Cargo, form(`[A-Za-z][A-Za-z0-9_-]*(@([~^=]|[<>]=?)?[0-9][A-Za-z0-9.*+-]*)?`),
		"ripgrep or ripgrep@14.1.0"},
	{Go, form(`[a-z0-9][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)+(/[A-Za-z0-9_~][A-Za-z0-9._~-]*)+` +
		`@[A-Za-z0-9][A-Za-z0-9.+_-]*`), "golang.org/x/tools/gopls@latest, with a version"},
}

const (
	extra = `[A-Za-z0-9]([A-Za-z0-9._-]*[A-Za-z0-9])?`
	pin   = `(===?|~=|!=|[<>]=?)[A-Za-z0-9][A-Za-z0-9.!+_*-]*`
)

var (
	nameForm = form(`[a-z0-9][a-z0-9._-]{0,62}`)
	// What a file is called in the build context, where it must not be a flag.
	requirementForm = form(`[A-Za-z0-9][A-Za-z0-9._-]{0,99}`)

	envForm      = form(`[A-Za-z_][A-Za-z0-9_]*`)
	dirForm      = form(`(/[A-Za-z0-9._+@-]+)+`)
	userForm     = form(`[a-z_][a-z0-9_-]{0,31}`)
	numberForm   = form(`(0|[1-9][0-9]*)(:(0|[1-9][0-9]*))?`)
	registryForm = form(registry)
	mirrorForm   = form(registry + `(/` + part + `)*`)
	// The grammar of github.com/distribution/reference with the two digests that are in use.
	imageForm = form(`(` + registry + `/)?` +
		part + `(/` + part + `)*(:\w[\w.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?`)
)

const (
	host     = `[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?`
	registry = `(` + host + `(\.` + host + `)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?`
	part     = `[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*`
)

func form(re string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + re + `)$`) }

// Validate reports everything that is wrong with the runtime, each as an [*Error], joined.
func (r Runtime) Validate() error {
	return join(append(r.checkFields(), r.checkWhole()...))
}

// checkFields looks at each value for itself, so that it can judge half a runtime as well: one
// that takes the rest from another.
func (r Runtime) checkFields() (errs []*Error) {
	check := func(field, message string) {
		if message != "" {
			errs = append(errs, &Error{Runtime: r.Name, Field: field, Message: message})
		}
	}
	if r.Name != "" {
		check("", checkName(r.Name))
	}
	if message := r.checkSize(); message != "" {
		check("", message)
		return errs
	}
	check("description", checkText(r.Description, "\n\t"))
	if r.Image != "" {
		check("image", checkImage(r.Image))
	}
	if r.BaseImage != "" {
		check("base_image", checkImage(r.BaseImage))
	}
	for _, m := range slices.Sorted(maps.Keys(r.Packages)) {
		field := at("packages", string(m))
		i := slices.IndexFunc(managers, func(k manager) bool { return k.name == m })
		if i < 0 {
			check(field, unknown("manager", string(m), managerNames()))
			continue
		}
		if n := len(strings.Join(r.Packages[m], `","`)); n > maxNames {
			check(field, fmt.Sprintf("%d bytes of names; at most %d", n, maxNames))
		}
		for n, name := range r.Packages[m] {
			if len(name) > 255 || !managers[i].form.MatchString(name) {
				check(fmt.Sprintf("%s[%d]", field, n), fmt.Sprintf("%s is no %s package; write one such as %s",
					quote(name), m, managers[i].hint))
			}
		}
	}
	for _, m := range slices.Sorted(maps.Keys(r.Requirements)) {
		check(at("requirements", string(m)), checkRequirements(m, r.Requirements[m]))
	}
	for i, command := range r.SetupCommands {
		message := checkText(command, "\n\t")
		if strings.TrimSpace(command) == "" {
			message = "an empty command; remove it"
		}
		check(fmt.Sprintf("setup_commands[%d]", i), message)
	}
	for _, key := range slices.Sorted(maps.Keys(r.Env)) {
		if len(key) > 255 || !envForm.MatchString(key) {
			check(at("env", key), "no name of a variable; write letters, digits and _, "+
				"the first no digit")
			continue
		}
		check(at("env", key), checkText(r.Env[key], "\t"))
	}
	if r.WorkDir != "" {
		check("work_dir", checkWorkDir(r.WorkDir))
	}
	if r.User != "" {
		check("user", checkUser(r.User))
	}
	return errs
}

// checkWhole looks at how the fields go together, once nothing more is to be inherited.
func (r Runtime) checkWhole() (errs []*Error) {
	check := func(field, format string, args ...any) {
		errs = append(errs, &Error{Runtime: r.Name, Field: field, Message: fmt.Sprintf(format, args...)})
	}
	switch {
	case r.Image != "" && r.BaseImage != "":
		check("base_image", "given beside image; keep image to use an image as it is, "+
			"or base_image to build on one")
	case r.Base() == "":
		check("", "no image; write image to use one as it is, base_image to build on one, "+
			"or extends to take over a runtime")
	case r.Image != "" && r.installs():
		check("image", "is used as it is, without packages and setup commands; "+
			"write base_image to build on %s", quote(r.Image))
	}
	if len(r.Packages[Apt]) > 0 && len(r.Packages[Apk]) > 0 {
		check("packages", "apt and apk together; an image has one of them: remove the other")
	}
	return errs
}

// checkSize is asked of a definition and again after it was laid over another.
func (r Runtime) checkSize() string {
	n := len(r.SetupCommands) + len(r.Env) + len(r.Packages)
	for _, names := range r.Packages {
		n += len(names)
	}
	if n > maxEntries {
		return fmt.Sprintf("%d packages, setup commands and variables; at most %d", n, maxEntries)
	}
	return ""
}

// requirementManagers are those that take requirement files.
var requirementManagers = []string{string(Pip), string(NPM)}

func checkRequirements(m Manager, files Requirements) string {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		switch {
		case !requirementForm.MatchString(name):
			return quote(name) + " is no name of a requirement file; write letters, digits and . _ -"
		case len(text) > maxRequirements:
			return fmt.Sprintf("%s has %d bytes; at most %d", name, len(text), maxRequirements)
		case !utf8.ValidString(text) || strings.Contains(text, "\x00"):
			return name + " is not UTF-8 text"
		case strings.TrimSpace(text) == "":
			return name + " is empty; write what to install, or leave it out"
		}
	}
	switch m {
	case Pip:
		for _, text := range files {
			for line := range strings.Lines(text) {
				if m := otherFile.FindString(line); m != "" {
					return quote(strings.TrimSpace(m)) + " names another file, which is not there when the image is built; write out what is in it"
				}
			}
		}
		if len(files) != 1 {
			return fmt.Sprintf("%d files; pip takes one, such as requirements.txt", len(files))
		}
	case NPM:
		_, lock := files[npmLock]
		if _, ok := files[npmManifest]; !ok || len(files) > 2 || len(files) == 2 && !lock {
			return "npm takes " + npmManifest + ", and " + npmLock + " beside it"
		}
	default:
		return unknown("manager", string(m), requirementManagers)
	}
	return ""
}

// otherFile is how a requirement file of pip begins a line that names another.
var otherFile = regexp.MustCompile(`^\s*(-r|--requirement|-c|--constraint|-e|--editable|\./|\.\./|file:)[ =]?\S*`)

// The files of a project of npm.
const (
	npmManifest = "package.json"
	npmLock     = "package-lock.json"
)

func checkName(s string) string {
	if nameForm.MatchString(s) {
		return ""
	}
	return "not a name of a runtime; write 1 to 63 of a-z, 0-9, '.', '_' and '-', " +
		"the first a letter or digit"
}

func checkImage(s string) string {
	if len(s) <= 512 && imageForm.MatchString(s) {
		return ""
	}
	return quote(s) + " is no image reference; write NAME:TAG or NAME@sha256:DIGEST, " +
		"such as python:3.12-slim"
}

// checkText does not repeat the text, which may be a secret where none should be.
func checkText(s, controls string) string {
	if len(s) > maxText {
		return fmt.Sprintf("%d bytes; at most %d", len(s), maxText)
	}
	if !utf8.ValidString(s) {
		return "not UTF-8; write text"
	}
	for _, c := range s {
		if unicode.IsControl(c) && !strings.ContainsRune(controls, c) {
			return fmt.Sprintf("contains the control character %U; write a value without it", c)
		}
	}
	return ""
}

func checkWorkDir(s string) string {
	_, system := SystemDir(s)
	switch {
	case !path.IsAbs(s):
		return quote(s) + " is relative; write an absolute path, such as " + DefaultWorkDir
	case path.Clean(s) != s:
		return quote(s) + " is not clean; write " + quote(path.Clean(s))
	case system || slices.Contains(sharedDirs, s):
		return quote(s) + " is a system directory; write another, such as " + DefaultWorkDir
	case len(s) > 255 || !dirForm.MatchString(s):
		return quote(s) + " does not fit a mount; write letters, digits and . _ + @ - between slashes"
	}
	return ""
}

// CheckUser reports, as an [*Error], that s is no user: neither a uid, nor uid:gid, nor a name
// that a user of an image can have. Whether the image has that user is not checked.
func CheckUser(s string) error {
	if message := checkUser(s); message != "" {
		return &Error{Field: "user", Message: message}
	}
	return nil
}

func checkUser(s string) string {
	if userForm.MatchString(s) {
		return ""
	}
	ok := numberForm.MatchString(s)
	for id := range strings.SplitSeq(s, ":") {
		// Engines refuse ids above 31 bits.
		_, err := strconv.ParseInt(id, 10, 32)
		ok = ok && err == nil
	}
	if ok {
		return ""
	}
	return quote(s) + " is no user; write a uid such as 1000, uid:gid such as 1000:1000, " +
		"or the name of a user of the image"
}

func managerNames() []string {
	var names []string
	for _, m := range managers {
		names = append(names, string(m.name))
	}
	return names
}
