package drydock

import (
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Requirements are the files of a project that list what a manager installs: their text by their
// name. Pip takes one file of any name, as for pip install -r, and checks the hashes in it. NPM
// takes "package.json", and beside it "package-lock.json" if the versions are to be exactly those
// of the lock file. Other managers take none. A file has at most 4 MiB and cannot refer to other
// files, which are not there when the image is built.
type Requirements map[string]string

// requirementManagers are the managers that take requirement files.
var requirementManagers = []string{string(Pip), string(NPM)}

func checkRequirements(m Manager, files Requirements) string {
	for _, name := range slices.Sorted(maps.Keys(files)) {
		text := files[name]
		switch {
		case !requirementForm.MatchString(name):
			return quote(name) + " is not a name of a requirement file; write letters, digits and . _ -"
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
				if reference := strings.TrimSpace(otherFile.FindString(line)); reference != "" {
					return quote(reference) + " refers to another file, which is not there when the " +
						"image is built; write out its lines"
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

// otherFile matches the beginning of a line of a pip requirement file that refers to another file.
var otherFile = regexp.MustCompile(`^\s*(-r|--requirement|-c|--constraint|-e|--editable|\./|\.\./|file:)[ =]?\S*`)

// The files of an npm project.
const (
	npmManifest = "package.json"
	npmLock     = "package-lock.json"
)
