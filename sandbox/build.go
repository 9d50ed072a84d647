package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
)

// PullPolicy says when an image is fetched from its registry.
type PullPolicy string

// The policies.
const (
	// PullMissing: when the engine does not have it.
	PullMissing PullPolicy = "missing"
	// PullNever: not at all; one that is missing is ErrOffline.
	PullNever PullPolicy = "never"
	// PullAlways: at every Open, to see whether there is a newer one of the name; the runtime's
	// image is then built anew on it. It takes the time of a pull each time.
	PullAlways PullPolicy = "always"
)

// DefaultBuildTimeout is how long a pull and a build may take unless told otherwise.
const DefaultBuildTimeout = 30 * time.Minute

// BuildOptions say how images come to be on the engine; nil is all defaults. None of them
// counts for an image's tag: an image that is there is used however it was built.
type BuildOptions struct {
	// Pull is when base images are fetched. Default: PullMissing.
	Pull PullPolicy
	// Never refuses to build what is not there, with ErrOffline.
	Never bool
	// Timeout bounds pull and build of one image, and waiting for another goroutine or
	// process that builds it. Default: DefaultBuildTimeout.
	Timeout time.Duration

	// Where packages come from, in place of each manager's own index. The URLs may have a
	// user and a password: they are in no layer, no history, no command line and no key of a
	// builder's cache. They reach the setup commands as well, which are told as PIP_INDEX_URL,
	// NPM_CONFIG_REGISTRY and GOPROXY; in Progress and in errors passwords are masked.

	// PipIndex is the URL of an index as PyPI's is one: ".../simple".
	PipIndex string
	// NPMRegistry is the URL of a registry, NPMToken what it is to be shown, if anything.
	NPMRegistry, NPMToken string
	// GoProxy is the URL of a module proxy.
	GoProxy string
	// SystemMirror takes the place of scheme and host in the sources of apt and apk, such as
	// "https://mirror.example.com".
	SystemMirror string
}

func (o *BuildOptions) check() error {
	switch o.Pull {
	case "", PullMissing, PullNever, PullAlways:
	default:
		return fmt.Errorf("pull policy %q: write missing, never or always", o.Pull)
	}
	if o.Timeout < 0 {
		return fmt.Errorf("build timeout %v is negative", o.Timeout)
	}
	for name, text := range map[string]string{"PipIndex": o.PipIndex, "NPMRegistry": o.NPMRegistry, "GoProxy": o.GoProxy, "SystemMirror": o.SystemMirror} {
		u, err := url.Parse(text)
		if text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !plain(text)) {
			return fmt.Errorf("%s: write a URL that begins with http:// or https://, without spaces and quotes", name) // it may have a password
		}
	}
	if !plain(o.NPMToken) {
		return errors.New("NPMToken: it has a space, a quote or a control character")
	}
	return nil
}

// plain reports whether text is one word for a shell, and for sed.
func plain(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("'\"`\\$#|<>", r) })
}

// indexes is the value of indexVariable, or "".
func (o *BuildOptions) indexes() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add("PIP_INDEX_URL", o.PipIndex)
	if u, err := url.Parse(o.PipIndex); err == nil && u.Scheme == "http" {
		add("PIP_TRUSTED_HOST", u.Hostname()) // the caller has said so
	}
	add("NPM_CONFIG_REGISTRY", o.NPMRegistry)
	if u, err := url.Parse(o.NPMRegistry); err == nil && o.NPMToken != "" && o.NPMRegistry != "" {
		add("DRYDOCK_NPMRC", "//"+u.Host+strings.TrimSuffix(u.Path, "/")+"/:_authToken="+o.NPMToken)
	}
	add("GOPROXY", o.GoProxy)
	// In what sed puts in place of a match an & stands for that.
	add("DRYDOCK_MIRROR", strings.ReplaceAll(strings.TrimSuffix(o.SystemMirror, "/"), "&", `\&`))
	if len(words) == 0 {
		return ""
	}
	return indexMark + strings.Join(words, " ")
}

// hide takes the passwords of the indexes out of a text.
func (o *BuildOptions) hide(text string) string {
	secrets := []string{o.NPMToken}
	for _, index := range []string{o.PipIndex, o.NPMRegistry, o.GoProxy, o.SystemMirror} {
		if u, err := url.Parse(index); err == nil && u.User != nil {
			password, _ := u.User.Password()
			_, written, _ := strings.Cut(u.User.String(), ":") // as it is in the URL
			secrets = append(secrets, password, written)
		}
	}
	for _, s := range secrets {
		if s != "" {
			text = strings.ReplaceAll(text, s, "****")
		}
	}
	return text
}

// BuildError is a build that failed.
type BuildError struct {
	// Image is what was built: "runtime python-datascience".
	Image string
	// Step of Steps failed; both are 0 where that is not known.
	Step, Steps int
	// Text is what the step does, in words: "pip: install pandas". Instruction is its line of
	// the Dockerfile.
	Text, Instruction string
	// Lines are the last that it printed, at most 20, without terminal escapes.
	Lines []string
	// Err is what the engine said.
	Err error
}

func (e *BuildError) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s was not built", e.Image)
	if e.Step > 0 {
		fmt.Fprintf(&b, ": step %d of %d failed: %s", e.Step, e.Steps, e.Text)
	} else {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	for _, line := range e.Lines {
		b.WriteString("\n    " + line)
	}
	return b.String()
}

// Unwrap returns Err.
func (e *BuildError) Unwrap() error { return e.Err }

// ensure builds the image where the engine does not have it, or where that is older than
// its base and the policy is to look.
func (im *image) ensure(ctx context.Context, c *config) error {
	// It bounds waiting for a goroutine as well, whose own limit may be longer.
	ctx, cancel := context.WithTimeoutCause(ctx, c.Build.Timeout,
		fmt.Errorf("%s was not ready within %v: see BuildOptions.Timeout", im.describe(), c.Build.Timeout))
	defer cancel()
	done, err := builds.acquire(ctx, im.tag)
	if err != nil {
		return err
	}
	defer done()
	// Another may have built it while this one waited.
	there, err := c.Engine.Image(ctx, im.tag)
	if err == nil && c.Build.Pull != PullAlways || err != nil && !errors.Is(err, ErrNoImage) {
		return err
	}
	switch {
	case c.Offline:
		return fmt.Errorf("%w: %s is not built on this engine: open it once without Offline", ErrOffline, im.describe())
	case c.Build.Never && err != nil:
		return fmt.Errorf("%w: %s is not built on this engine, and BuildOptions.Never says not to", ErrOffline, im.describe())
	}
	progress := newProgress(im.describe(), c.Progress)
	baseID, err := im.base(ctx, c, progress)
	if err != nil {
		return err
	}
	if c.Build.Never || there.ID != "" && there.Labels[LabelBaseID] == baseID {
		return nil
	}
	unlock, err := im.lock(ctx, c, there.ID, progress)
	if err != nil || unlock == nil {
		return err
	}
	defer unlock()
	return im.build(ctx, c, baseID, progress)
}

// build has the engine build the image.
func (im *image) build(ctx context.Context, c *config, baseID string, progress *progress) error {
	info, err := c.Engine.Info(ctx)
	if err != nil {
		return err
	}
	steps := im.steps(baseID, info.CacheMounts)
	progress.steps, progress.layers = steps, nil
	files, err := im.buildContext(steps)
	if err != nil {
		return err
	}
	c.Logger.InfoContext(ctx, "building image", "image", im.tag, "base", im.runtime.Base())
	started := time.Now()
	progress.hide = c.Build.hide
	b := &Build{Tag: im.tag, Context: bytes.NewReader(files), Progress: progress, Hide: c.Build.hide}
	if indexes := c.Build.indexes(); indexes != "" {
		b.Args = map[string]string{indexVariable: indexes}
	}
	err = c.Engine.Build(ctx, b)
	if cause := context.Cause(ctx); err != nil && cause != nil {
		err = cause
	} else if err != nil {
		err = progress.failed(err)
	}
	progress.done(err)
	c.Logger.InfoContext(ctx, "built image", "image", im.tag, "duration", time.Since(started), "error", err)
	return err
}

// base returns the id of the base image, which it pulls as the policy says.
func (im *image) base(ctx context.Context, c *config, progress *progress) (string, error) {
	base := im.runtime.Base()
	info, err := c.Engine.Image(ctx, base)
	if err != nil && !errors.Is(err, ErrNoImage) || err == nil && c.Build.Pull != PullAlways {
		return info.ID, err
	}
	if c.Build.Pull == PullNever {
		return "", fmt.Errorf("%w: %s is not on this engine, and must not be pulled", ErrOffline, base)
	}
	progress.pull(base)
	if err := c.Engine.Pull(ctx, base, progress); err != nil {
		if cause := context.Cause(ctx); cause != nil {
			return "", cause
		}
		if info.ID != "" && strings.HasPrefix(base, "localhost/") {
			return info.ID, nil // it was made here, and no registry has it
		}
		return "", fmt.Errorf("%w: %s is not on this engine and could not be pulled; "+
			"where no registry can be reached, map it to an image that is there under stand_ins in a file that %s names: %w",
			ErrNoImage, base, drydock.EnvFiles, err)
	}
	info, err = c.Engine.Image(ctx, base)
	return info.ID, err
}
