package dockercli

import (
	"maps"
	"slices"
	"strconv"
)

// flags collects the command line of a subcommand. Each method appends flags in the form
// --flag=value, and nothing for a zero value. Maps are sorted, so that equal options give equal
// command lines.
type flags struct {
	argv    []string // without the program
	environ []string // KEY=VALUE for the environment of the CLI
}

func flagsOf(subcommand ...string) *flags { return &flags{argv: subcommand} }

func (f *flags) add(args ...string) { f.argv = append(f.argv, args...) }

func (f *flags) text(flag, value string) {
	if value != "" {
		f.add(flag + "=" + value)
	}
}

func (f *flags) number(flag string, n int64) {
	if n != 0 {
		f.add(flag + "=" + strconv.FormatInt(n, 10))
	}
}

func (f *flags) toggle(flag string, on bool) {
	if on {
		f.add(flag)
	}
}

func (f *flags) list(flag string, values []string) {
	for _, v := range values {
		f.add(flag + "=" + v)
	}
}

func (f *flags) labels(labels map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		f.add("--label=" + k + "=" + labels[k])
	}
}

// filter asks a list for the objects that carry all the labels. A label with an empty value asks
// for the key alone.
func (f *flags) filter(labels map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		if labels[k] != "" {
			k += "=" + labels[k]
		}
		f.add("--filter=label=" + k)
	}
}

// variables hands variables to the CLI: their names in argv, which every user of the host can
// read, and their values in the environment of the CLI. A variable that the CLI itself obeys
// must not take that way: PATH or DOCKER_HOST meant for the container would steer the CLI on the
// host. Those few are written out in argv.
func (f *flags) variables(flag string, env map[string]string) {
	for _, k := range slices.Sorted(maps.Keys(env)) {
		if steersCLI(k) {
			f.add(flag + "=" + k + "=" + env[k])
			continue
		}
		f.add(flag + "=" + k)
		f.environ = append(f.environ, k+"="+env[k])
	}
}

// operands ends the flags and returns the command line: a CLI takes nothing after "--" for a flag.
func (f *flags) operands(values ...string) []string {
	return append(append(f.argv, "--"), values...)
}
