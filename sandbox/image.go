package sandbox

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/internal/guestbin"
)

// imageSchema changes when the Dockerfile that the same definition yields changes.
const imageSchema = "3"

// guestPath is where the guest is in every sandbox image.
const guestPath = "/.drydock/guest"

// connectPath is the copy of it that joins a sandbox with a lease.
const connectPath = "/.drydock/connect"

// image is a runtime with the guest as its last layer, for one architecture.
type image struct {
	runtime drydock.Runtime
	arch    string
	tag     string
}

// newImage computes the tag from the definition alone, so that opening a sandbox never
// has to ask the engine what there is.
func newImage(r drydock.Runtime, arch string) (*image, error) {
	guest, err := guestbin.Hash(arch)
	if err != nil {
		return nil, err
	}
	sum := sha256.New()
	parts := []string{imageSchema, r.Hash(), arch, guest}
	if (&image{runtime: r}).installs() {
		parts = append(parts, string(installScript))
	}
	for _, part := range parts {
		fmt.Fprintf(sum, "%d:%s\n", len(part), part)
	}
	tag := fmt.Sprintf("%s%s:%s", runtimeRepository, cmp.Or(r.Name, "image"), hex.EncodeToString(sum.Sum(nil))[:20])
	return &image{runtime: r, arch: arch, tag: tag}, nil
}

// step is one instruction of a Dockerfile, and what it does in words for people.
type step struct{ instruction, text string }

// steps are the same for every builder, but for mounts of a cache where it has them: plain
// instructions, and every command in the form that no shell of the builder splits. What
// changes rarely comes first, so that a builder has it in its cache.
func (im *image) steps(baseID string, cacheMounts bool) []step {
	var steps []step
	add := func(text, verb, arguments string) {
		steps = append(steps, step{verb + " " + arguments, text})
	}
	add("base image "+im.runtime.Base(), "FROM", im.runtime.Base())
	// First, so that what a build leaves which fails can be told.
	add("label", "LABEL", labelPairs(map[string]string{LabelKind: "runtime"}))
	// Packages are installed by root, whatever user the base image ends with.
	add("user root", "USER", "0:0")
	if im.installs() {
		add("install script", "COPY", "install "+installPath)
	}
	for _, m := range drydock.Managers() {
		if files := im.runtime.Requirements[m]; len(files) > 0 {
			var args []string
			for _, name := range slices.Sorted(maps.Keys(files)) {
				to, from := requirementPath(m, name)
				add(string(m)+": "+name, "COPY", from+" "+to)
				if m == drydock.Pip {
					args = []string{"-r", to}
				}
			}
			verb, arguments := install(string(m), args, cacheMounts)
			add(string(m)+": install the requirements", verb, arguments)
		}
		if packages := im.runtime.Packages[m]; len(packages) > 0 {
			args := packages
			if m != drydock.Go {
				args = append([]string{"--"}, packages...)
			}
			verb, arguments := install(string(m), args, cacheMounts)
			add(fmt.Sprintf("%s: install %s", m, strings.Join(packages, " ")), verb, arguments)
		}
	}
	for _, key := range slices.Sorted(maps.Keys(im.runtime.Env)) {
		add("environment "+key, "ENV", key+"="+quote(im.runtime.Env[key]))
	}
	for _, command := range im.runtime.SetupCommands {
		verb, arguments := install("setup", []string{command}, false)
		add("setup: "+command, verb, arguments)
	}
	add("guest", "COPY", "guest "+guestPath)
	add("directories and accounts", "RUN", jsonForm([]string{guestPath, "prepare", im.runtime.WorkDir, Home}))
	add("work dir "+im.runtime.WorkDir, "WORKDIR", im.runtime.WorkDir)
	// One instruction, because the legacy builder makes a step of each.
	labels := map[string]string{
		LabelFormat: labelFormat, LabelKind: "runtime", LabelRuntime: im.runtime.Name,
		LabelBase: im.runtime.Base(), LabelBaseID: baseID,
	}
	add("labels", "LABEL", labelPairs(labels))
	return steps
}

// labelPairs are labels as a LABEL instruction takes them.
func labelPairs(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+quote(labels[key]))
	}
	return strings.Join(pairs, " ")
}

// installs reports whether anything is put on the base image but the guest.
func (im *image) installs() bool {
	return len(im.runtime.Packages)+len(im.runtime.Requirements)+len(im.runtime.SetupCommands) > 0
}

func dockerfile(steps []step) []byte {
	var b bytes.Buffer
	for _, s := range steps {
		fmt.Fprintln(&b, s.instruction)
	}
	return b.Bytes()
}

// jsonForm is the form of a RUN that is executed as it stands.
func jsonForm(args []string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Strings always encode.
	_ = e.Encode(args)
	return strings.TrimSpace(b.String())
}

// quote keeps the builder from expanding a value.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}

// buildContext is the archive that the builder is given: the Dockerfile, the guest, the script
// that installs, and files of requirements.
func (im *image) buildContext(steps []step) ([]byte, error) {
	guest, err := guestbin.For(im.arch)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	type file struct {
		name string
		mode int64
		data []byte
	}
	all := []file{{"Dockerfile", 0o644, dockerfile(steps)}, {"guest", 0o555, guest}}
	if im.installs() {
		all = append(all, file{"install", 0o555, installScript})
	}
	for _, m := range drydock.Managers() {
		files := im.runtime.Requirements[m]
		for _, name := range slices.Sorted(maps.Keys(files)) {
			_, from := requirementPath(m, name)
			all = append(all, file{from, 0o644, []byte(files[name])})
		}
	}
	for _, f := range all {
		// A fixed time: the legacy builder's cache looks at it.
		h := &tar.Header{Name: f.name, Mode: f.mode, Size: int64(len(f.data)), ModTime: time.Unix(0, 0)}
		if err := w.WriteHeader(h); err != nil {
			return nil, err
		}
		if _, err := w.Write(f.data); err != nil {
			return nil, err
		}
	}
	return b.Bytes(), w.Close()
}

// describe names the image for people.
func (im *image) describe() string {
	if im.runtime.Name == "" {
		return "image " + im.runtime.Base()
	}
	return "runtime " + im.runtime.Name
}

// builds keeps two goroutines from building the same image.
var builds = &keyed{held: make(map[string]chan struct{})}

// keyed is a mutex for each key, with a way out for a context.
type keyed struct {
	mu   sync.Mutex
	held map[string]chan struct{} // closed when the holder is done
}

func (k *keyed) acquire(ctx context.Context, key string) (release func(), err error) {
	for {
		k.mu.Lock()
		other, busy := k.held[key]
		if !busy {
			mine := make(chan struct{})
			k.held[key] = mine
			k.mu.Unlock()
			return func() {
				k.mu.Lock()
				delete(k.held, key)
				k.mu.Unlock()
				close(mine)
			}, nil
		}
		k.mu.Unlock()
		select {
		case <-other:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
