package image

import (
	"cmp"
	"fmt"
	"io/fs"
	"log/slog"
	"net/url"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox/engine"
)

// DefaultTimeout bounds the pull and the build of an image unless Builder.Timeout does.
const DefaultTimeout = 30 * time.Minute

// Builder makes the images of runtimes ready on an engine. The zero value is useful. It is
// safe for concurrent use as long as no field changes: a service makes one, and all its
// sessions share it. No field counts for the tag of an image: one that is there is used,
// however it was built.
type Builder struct {
	// Engine has the images. Default: engine.Default, the docker found in PATH.
	Engine engine.Engine
	// Catalog has the runtimes, and the stand-ins for their images. Default:
	// drydock.Default, which reads the files that DRYDOCK_RUNTIMES names.
	Catalog *drydock.Catalog

	// Offline neither pulls nor builds: an image that is not there is ErrOffline.
	Offline bool
	// Pull says when base images are fetched. Default: PullMissing.
	Pull PullPolicy
	// NoBuild builds nothing: an image that is not there is ErrOffline.
	NoBuild bool
	// Timeout bounds pull and build of one image, and waiting for another goroutine or
	// process that builds it. Default: DefaultTimeout.
	Timeout time.Duration

	// The next fields say where packages come from, in place of each manager's own index.
	// The URLs may have a user and a password, which are masked in Progress and in errors.
	// Setup commands get the URLs as well, as PIP_INDEX_URL, NPM_CONFIG_REGISTRY and GOPROXY.

	// PipIndex is the URL of a Python package index: ".../simple".
	PipIndex string
	// NPMRegistry is the URL of an npm registry.
	NPMRegistry string
	// NPMToken is the authentication token for NPMRegistry. Default: none.
	NPMToken string
	// GoProxy is the URL of a Go module proxy.
	GoProxy string
	// SystemMirror replaces scheme and host in the sources of apt and apk, such as
	// "https://mirror.example.com".
	SystemMirror string

	// Progress is told how pulls and builds go on. It is called from one goroutine at a time
	// for each image, and must return: the build waits for it, and so does the end of ctx.
	// Default: nobody is told.
	Progress func(Progress)
	// Logger is told of builds. Default: silent.
	Logger *slog.Logger
}

// PullPolicy says when an image is fetched from its registry.
type PullPolicy string

// The policies.
const (
	// PullMissing: when the engine does not have it.
	PullMissing PullPolicy = "missing"
	// PullNever: not at all. An image that is missing is ErrOffline.
	PullNever PullPolicy = "never"
	// PullAlways: each time, to see whether the registry has a newer image of that name. The
	// runtime's image is then built again on it. It takes the time of a pull each time.
	PullAlways PullPolicy = "always"
)

// Resolve returns a copy with every default filled in, or the first fault of a field.
func (b *Builder) Resolve() (*Builder, error) {
	r := Builder{}
	if b != nil {
		r = *b
	}
	if r.Catalog == nil {
		catalog, err := drydock.Default()
		if err != nil {
			return nil, err
		}
		r.Catalog = catalog
	}
	if r.Engine == nil {
		r.Engine = engine.Default()
	}
	if r.Logger == nil {
		r.Logger = slog.New(slog.DiscardHandler)
	}
	r.Pull = cmp.Or(r.Pull, PullMissing)
	r.Timeout = cmp.Or(r.Timeout, DefaultTimeout)
	return &r, r.check()
}

func (b *Builder) check() error {
	switch b.Pull {
	case PullMissing, PullNever, PullAlways:
	default:
		return invalid("pull policy %q: write missing, never or always", b.Pull)
	}
	if b.Timeout < 0 {
		return invalid("build timeout %v is negative", b.Timeout)
	}
	for _, f := range []struct{ name, text string }{
		{"PipIndex", b.PipIndex}, {"NPMRegistry", b.NPMRegistry}, {"GoProxy", b.GoProxy}, {"SystemMirror", b.SystemMirror},
	} {
		u, err := url.Parse(f.text)
		if f.text != "" && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || !isWord(f.text)) {
			// The text may hold a password.
			return invalid("%s: write a URL that begins with http:// or https://, without spaces and quotes", f.name)
		}
	}
	if !isWord(b.NPMToken) {
		return invalid("NPMToken: it has a space, a quote or a control character")
	}
	return nil
}

// isWord reports whether text is one word for a shell, and for sed.
func isWord(text string) bool {
	return !strings.ContainsFunc(text, func(r rune) bool { return r <= ' ' || r >= 0x7f || strings.ContainsRune("'\"`\\$#|<>", r) })
}

// indexes is the value of indexVariable, or "".
func (b *Builder) indexes() string {
	var words []string
	add := func(name, value string) {
		if value != "" {
			words = append(words, name+"="+value)
		}
	}
	add("PIP_INDEX_URL", b.PipIndex)
	if u, err := url.Parse(b.PipIndex); err == nil && u.Scheme == "http" {
		add("PIP_TRUSTED_HOST", u.Hostname()) // the caller chose http
	}
	add("NPM_CONFIG_REGISTRY", b.NPMRegistry)
	if u, err := url.Parse(b.NPMRegistry); err == nil && b.NPMToken != "" && b.NPMRegistry != "" {
		add("DRYDOCK_NPMRC", "//"+u.Host+strings.TrimSuffix(u.Path, "/")+"/:_authToken="+b.NPMToken)
	}
	add("GOPROXY", b.GoProxy)
	// In the replacement of sed an & stands for the match.
	add("DRYDOCK_MIRROR", strings.ReplaceAll(strings.TrimSuffix(b.SystemMirror, "/"), "&", `\&`))
	if len(words) == 0 {
		return ""
	}
	return indexMark + strings.Join(words, " ")
}

// hide masks the passwords of the indexes in a text.
func (b *Builder) hide(text string) string {
	for _, s := range b.secrets() {
		if s != "" {
			text = strings.ReplaceAll(text, s, "****")
		}
	}
	return text
}

// secrets returns the passwords of the indexes, some of which may be empty.
func (b *Builder) secrets() []string {
	secrets := []string{b.NPMToken}
	for _, index := range []string{b.PipIndex, b.NPMRegistry, b.GoProxy, b.SystemMirror} {
		if u, err := url.Parse(index); err == nil && u.User != nil {
			password, _ := u.User.Password()
			_, written, _ := strings.Cut(u.User.String(), ":") // as the URL spells it
			secrets = append(secrets, password, written)
		}
	}
	return secrets
}

// runtimes returns the names of all runtimes if none are named.
func (b *Builder) runtimes(names []string) []string {
	if len(names) == 0 {
		for _, r := range b.Catalog.All() {
			names = append(names, r.Name)
		}
	}
	return names
}

func invalid(format string, args ...any) error { return &invalidError{fmt.Errorf(format, args...)} }

// invalidError is an argument or a field that cannot be used.
type invalidError struct{ error }

func (e *invalidError) Is(target error) bool { return target == fs.ErrInvalid }
func (e *invalidError) Unwrap() error        { return e.error }
