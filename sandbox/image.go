package sandbox

import (
	"archive/tar"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
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
const imageSchema = "1"

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
	for _, part := range []string{imageSchema, r.Hash(), arch, guest} {
		fmt.Fprintf(sum, "%d:%s\n", len(part), part)
	}
	tag := fmt.Sprintf("localhost/drydock/runtime/%s:%s", cmp.Or(r.Name, "image"), hex.EncodeToString(sum.Sum(nil))[:20])
	return &image{runtime: r, arch: arch, tag: tag}, nil
}

// step is one instruction of a Dockerfile, and what it does in words for people.
type step struct{ instruction, text string }

// steps are the same for every builder: plain instructions, and every command in the
// form that no shell of the builder splits.
func (im *image) steps(baseID string) []step {
	var steps []step
	add := func(text, verb, arguments string) {
		steps = append(steps, step{verb + " " + arguments, text})
	}
	add("base image "+im.runtime.Base(), "FROM", im.runtime.Base())
	// Packages are installed by root, whatever user the base image ends with.
	add("user root", "USER", "0:0")
	for manager, packages := range im.runtime.Packages.All() {
		add(fmt.Sprintf("%s: install %s", manager, strings.Join(packages, " ")),
			"RUN", jsonForm(slices.Concat(installers[manager], packages)))
	}
	for _, key := range slices.Sorted(maps.Keys(im.runtime.Env)) {
		add("environment "+key, "ENV", key+"="+quote(im.runtime.Env[key]))
	}
	for _, command := range im.runtime.SetupCommands {
		add("setup: "+command, "RUN", jsonForm([]string{"/bin/sh", "-c", command}))
	}
	add("guest", "COPY", "guest "+guestPath)
	add("directories and accounts", "RUN", jsonForm([]string{guestPath, "prepare", im.runtime.WorkDir, Home}))
	add("work dir "+im.runtime.WorkDir, "WORKDIR", im.runtime.WorkDir)
	// One instruction, because the legacy builder makes a step of each.
	labels := map[string]string{
		LabelFormat: labelFormat, LabelKind: "runtime", LabelRuntime: im.runtime.Name,
		LabelBase: im.runtime.Base(), LabelBaseID: baseID,
	}
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+quote(labels[key]))
	}
	add("labels", "LABEL", strings.Join(pairs, " "))
	return steps
}

func dockerfile(steps []step) []byte {
	var b bytes.Buffer
	for _, s := range steps {
		fmt.Fprintln(&b, s.instruction)
	}
	return b.Bytes()
}

// installers are the commands that packages are appended to. A shell is needed where
// there are two steps to one layer; the packages are its positional parameters.
var installers = map[drydock.Manager][]string{
	drydock.Apt: {"/bin/sh", "-ec", `export DEBIAN_FRONTEND=noninteractive
apt-get update
apt-get install --yes --no-install-recommends -- "$@"
rm -rf /var/lib/apt/lists/*`, "apt-get"},
	drydock.Apk: {"apk", "add", "--no-cache", "--"},
	// A Debian python refuses to have its packages mixed with pip's; in an image of its
	// own there is nothing to protect.
	drydock.Pip: {"/usr/bin/env", "PIP_BREAK_SYSTEM_PACKAGES=1", "PIP_ROOT_USER_ACTION=ignore",
		"python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check", "--"},
	drydock.NPM:   {"npm", "install", "--global", "--no-fund", "--no-audit", "--"},
	drydock.Cargo: {"cargo", "install", "--root=/usr/local", "--"},
	drydock.Go:    {"/usr/bin/env", "GOBIN=/usr/local/bin", "go", "install", "--"},
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

// buildContext is the archive that the builder is given: the Dockerfile and the guest.
func (im *image) buildContext(steps []step) ([]byte, error) {
	guest, err := guestbin.For(im.arch)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		name string
		mode int64
		data []byte
	}{{"Dockerfile", 0o644, dockerfile(steps)}, {"guest", 0o555, guest}} {
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

// ensure builds the image where the engine does not have it.
func (im *image) ensure(ctx context.Context, c *config) error {
	done, err := builds.acquire(ctx, im.tag)
	if err != nil {
		return err
	}
	defer done()
	// Another may have built it while this one waited.
	if _, err := c.Engine.Image(ctx, im.tag); err == nil || !errors.Is(err, ErrNoImage) {
		return err
	}
	if c.Offline {
		return fmt.Errorf("%w: %s is not built on this engine: open it once without Offline", ErrOffline, im.describe())
	}
	progress := newProgress(im.describe(), c.Progress)
	baseID, err := im.base(ctx, c, progress)
	if err != nil {
		return err
	}
	steps := im.steps(baseID)
	progress.steps = steps
	files, err := im.buildContext(steps)
	if err != nil {
		return err
	}
	c.Logger.InfoContext(ctx, "building image", "image", im.tag, "base", im.runtime.Base())
	started := time.Now()
	err = c.Engine.Build(ctx, im.tag, bytes.NewReader(files), progress)
	progress.done(err)
	c.Logger.InfoContext(ctx, "built image", "image", im.tag, "duration", time.Since(started), "error", err)
	return err
}

// base returns the id of the base image, which it pulls where the engine does not have it.
func (im *image) base(ctx context.Context, c *config, progress *progress) (string, error) {
	base := im.runtime.Base()
	info, err := c.Engine.Image(ctx, base)
	if !errors.Is(err, ErrNoImage) {
		return info.ID, err
	}
	progress.say("pull " + base)
	if err := c.Engine.Pull(ctx, base, progress); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", cause
		}
		return "", fmt.Errorf("%w: %s is not on this engine and could not be pulled; "+
			"where no registry can be reached, map it to an image that is there under stand_ins in a file that %s names: %w",
			ErrNoImage, base, drydock.EnvFiles, err)
	}
	info, err = c.Engine.Image(ctx, base)
	return info.ID, err
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
