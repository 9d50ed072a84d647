package drydock

import (
	"errors"
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

// Limits that keep a hostile or mistaken file from taking memory: by extends, a runtime can be many
// times as long as the text that defines it.
const (
	maxEntries = 1000      // packages, setup commands and variables of one runtime together
	maxText    = 32 * 1024 // bytes of one value; a line of a Dockerfile holds 64 KiB
	maxNames   = 60_000    // bytes of one manager's packages, which are one such line

	maxRequirements = 4 << 20 // bytes of one file
)

var (
	nameForm = form(`[a-z0-9][a-z0-9._-]{0,62}`)
	// The name of a file in the build context. It must not look like a flag.
	requirementForm = form(`[A-Za-z0-9][A-Za-z0-9._-]{0,99}`)

	envForm      = form(`[A-Za-z_][A-Za-z0-9_]*`)
	dirForm      = form(`(/[A-Za-z0-9._+@-]+)+`)
	userForm     = form(account + `(:` + account + `)?`)
	registryForm = form(registry)
	mirrorForm   = form(registry + `(/` + part + `)*`)
	// The grammar of github.com/distribution/reference with the two digests in use.
	imageForm = form(`(` + registry + `/)?` +
		part + `(/` + part + `)*(:\w[\w.-]{0,127})?(@(sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}))?`)
)

const (
	host     = `[A-Za-z0-9]([A-Za-z0-9-]*[A-Za-z0-9])?`
	registry = `(` + host + `(\.` + host + `)*|\[[0-9a-fA-F:]+\])(:[0-9]+)?`
	account  = `(0|[1-9][0-9]*|[a-z_][a-z0-9_-]{0,31})`
	part     = `[a-z0-9]+((\.|__?|-+)[a-z0-9]+)*`
)

func form(re string) *regexp.Regexp { return regexp.MustCompile(`^(?:` + re + `)$`) }

// Validate returns everything that is wrong with the runtime, each as an [*Error], joined.
func (r Runtime) Validate() error {
	return join(append(r.checkFields(), r.checkWhole()...))
}

// checkFields checks each field by itself, so a runtime that inherits the rest can be checked as
// well.
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
				check(fmt.Sprintf("%s[%d]", field, n), fmt.Sprintf("%s is not a package of %s; write one such as %s",
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
			check(at("env", key), "not a name of a variable; write letters, digits and _, "+
				"the first not a digit")
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

// checkWhole checks how the fields go together, once everything is inherited.
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
			"or extends to inherit from a runtime")
	case r.Image != "" && r.installs():
		check("image", "is used as it is, without packages and setup commands; "+
			"write base_image to build on %s", quote(r.Image))
	}
	if len(r.Packages[Apt]) > 0 && len(r.Packages[Apk]) > 0 {
		check("packages", "apt and apk together; an image has one of them: remove the other")
	}
	return errs
}

// checkSize checks a definition, and again after it inherited from another, which may have grown
// it.
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
	return quote(s) + " is not an image reference; write NAME:TAG or NAME@sha256:DIGEST, " +
		"such as python:3.12-slim"
}

// checkText checks text with only the given control characters. Its messages do not repeat the
// text, which may be a misplaced secret.
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

// CheckUser returns an [*Error] unless s is a user, or a user and a group with a colon between
// them, each a number or a name. It does not know whether an image has them.
func CheckUser(s string) error {
	if message := checkUser(s); message != "" {
		return &Error{Field: "user", Message: message}
	}
	return nil
}

func checkUser(s string) string {
	ok := userForm.MatchString(s)
	for part := range strings.SplitSeq(s, ":") {
		// Engines refuse ids above 31 bits.
		_, err := strconv.ParseInt(part, 10, 32)
		ok = ok && !errors.Is(err, strconv.ErrRange)
	}
	if ok {
		return ""
	}
	return quote(s) + " is not a user; write a uid such as 1000, uid:gid such as 1000:1000, " +
		"or the name of a user of the image"
}
