package drydock

import (
	"iter"
	"regexp"
)

// Manager is a package manager.
type Manager string

// The managers, in the order in which they install. Those of the system come first, since the
// others may need their packages, such as a compiler or npm itself.
const (
	Apt   Manager = "apt"
	Apk   Manager = "apk"
	Pip   Manager = "pip"
	NPM   Manager = "npm"
	Cargo Manager = "cargo"
	Go    Manager = "go" // go install: the path of a package with @version
)

// Managers returns all managers in the order in which they install.
func Managers() []Manager {
	all := make([]Manager, len(managers))
	for i, m := range managers {
		all[i] = m.name
	}
	return all
}

// Packages are the packages that each manager installs. The order of one manager's packages has no
// meaning.
type Packages map[Manager][]string

// All yields the managers that have packages, and those, in the order in which they install.
func (p Packages) All() iter.Seq2[Manager, []string] {
	return func(yield func(Manager, []string) bool) {
		for _, m := range managers {
			if names := p[m.name]; len(names) > 0 && !yield(m.name, names) {
				return
			}
		}
	}
}

// manager is a package manager with the form that its packages have.
type manager struct {
	name Manager
	form *regexp.Regexp
	hint string // examples of the form
}

// managers lists the package managers in the order in which they install. The forms accept names
// and versions from the manager's registry only: no options, paths or URLs.
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

func managerNames() []string {
	var names []string
	for _, m := range managers {
		names = append(names, string(m.name))
	}
	return names
}
