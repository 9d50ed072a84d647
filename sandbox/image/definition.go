package image

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
	"github.com/drydock-go/drydock/sandbox/internal/guestbin"
)

// schema changes when the Dockerfile that the same definition yields changes.
const schema = "3"

// repository begins the name of every image that is built for a runtime.
const repository = "localhost/drydock/runtime/"

// Home is the home directory of a sandbox's user in every image.
const Home = "/home/sandbox"

// Reference returns the reference of a runtime's image for an architecture, in the words of
// GOARCH. It is computed from the definition alone: the engine is not asked, and the image
// may not be there.
func Reference(r drydock.Runtime, arch string) (string, error) {
	guest, err := guestbin.Hash(arch)
	if err != nil {
		return "", err
	}
	sum := sha256.New()
	parts := []string{schema, r.Hash(), arch, guest}
	if installs(r) {
		parts = append(parts, string(installScript))
	}
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s\n", len(part), part)
	}
	return fmt.Sprintf("%s%s:%s", repository, cmp.Or(r.Name, "image"), hex.EncodeToString(sum.Sum(nil))[:20]), nil
}

// installs reports whether anything but the guest is put on the base image.
func installs(r drydock.Runtime) bool {
	return len(r.Packages)+len(r.Requirements)+len(r.SetupCommands) > 0
}

// describe names the image of a runtime for people.
func describe(r drydock.Runtime) string {
	if r.Name == "" {
		return "image " + r.Base()
	}
	return "runtime " + r.Name
}

// recipe is the image of a runtime with the guest as its last layer. The steps are the same
// for every builder, but for cache mounts if it has them: plain instructions, and every
// command in the form that no shell of the builder splits. Whatever changes rarely comes
// first, so that a builder has it in its cache.
func recipe(r drydock.Runtime, arch, ref, baseID string, cacheMounts bool) (*Recipe, error) {
	guest, err := guestbin.For(arch)
	if err != nil {
		return nil, err
	}
	p := &Recipe{Tag: ref, Title: describe(r)}
	add := func(text, verb, arguments string) {
		p.Steps = append(p.Steps, Step{verb + " " + arguments, text})
	}
	add("base image "+r.Base(), "FROM", r.Base())
	// First, so that the remains of a build that fails are known for ours.
	add("label", "LABEL", labelPairs(map[string]string{engine.LabelKind: engine.KindRuntime}))
	// Packages are installed by root, whatever user the base image ends with.
	add("user root", "USER", "0:0")
	if installs(r) {
		p.Files = append(p.Files, file("install", 0o555, installScript))
		add("install script", "COPY", "install "+installPath)
	}
	for _, m := range drydock.Managers() {
		if files := r.Requirements[m]; len(files) > 0 {
			var args []string
			for _, name := range slices.Sorted(maps.Keys(files)) {
				to, from := requirementPath(m, name)
				p.Files = append(p.Files, file(from, 0o644, []byte(files[name])))
				add(string(m)+": "+name, "COPY", from+" "+to)
				if m == drydock.Pip {
					args = []string{"-r", to}
				}
			}
			verb, arguments := install(string(m), args, cacheMounts)
			add(string(m)+": install the requirements", verb, arguments)
		}
		if packages := r.Packages[m]; len(packages) > 0 {
			args := packages
			if m != drydock.Go {
				args = append([]string{"--"}, packages...)
			}
			verb, arguments := install(string(m), args, cacheMounts)
			add(fmt.Sprintf("%s: install %s", m, strings.Join(packages, " ")), verb, arguments)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(r.Env)) {
		add("environment "+key, "ENV", key+"="+quote(r.Env[key]))
	}
	for _, command := range r.SetupCommands {
		verb, arguments := install("setup", []string{command}, false)
		add("setup: "+command, verb, arguments)
	}
	p.Files = append(p.Files, file("guest", 0o555, guest))
	add("guest", "COPY", "guest "+engine.GuestPath)
	add("directories and accounts", "RUN", jsonForm([]string{engine.GuestPath, "prepare", r.WorkDir, Home}))
	add("work dir "+r.WorkDir, "WORKDIR", r.WorkDir)
	// One instruction, because the legacy builder makes a step of each.
	add("labels", "LABEL", labelPairs(map[string]string{
		engine.LabelFormat: engine.Format, engine.LabelKind: engine.KindRuntime, engine.LabelRuntime: r.Name,
		engine.LabelBase: r.Base(), engine.LabelBaseID: baseID,
	}))
	return p, nil
}
