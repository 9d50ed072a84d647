package main

import (
	"cmp"
	"errors"
	"flag"
	"fmt"
	"io"
	"math"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/drydock-go/drydock"
	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/image"
)

// newFlags is a flag set that leaves it to parse to speak.
func newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// runtimeFiles adds the flag --runtimes, which may be repeated and may be a list like PATH.
func runtimeFiles(f *flag.FlagSet, files *[]string) {
	f.Func("runtimes", "", func(list string) error {
		for _, file := range filepath.SplitList(list) {
			if file == "" {
				return errors.New("write the name of a file")
			}
			*files = append(*files, file)
		}
		return nil
	})
}

// catalog has the runtimes of files, or those of the environment when none are given.
func catalog(files []string) (*drydock.Catalog, error) {
	if len(files) == 0 {
		return drydock.Default()
	}
	return drydock.Load(files...)
}

// buildFlagsUsage are the flags of buildFlags.
const buildFlagsUsage = `  --pull POLICY         fetch base images when they are missing (the default), never, or always
  --pip-index URL       where packages come from when an image is built; env:NAME takes the URL,
  --npm-registry URL    which may have a password, from a variable
  --go-proxy URL
  --system-mirror URL   scheme and host in place of those of the sources of apt and apk
`

// buildFlags adds the flags that say how images are built.
func buildFlags(f *flag.FlagSet) *image.Builder {
	o := &image.Builder{}
	f.Func("pull", "", func(s string) error {
		o.Pull = image.PullPolicy(s)
		if o.Pull != image.PullMissing && o.Pull != image.PullNever && o.Pull != image.PullAlways {
			return errors.New("write missing, never or always")
		}
		return nil
	})
	for name, to := range map[string]*string{"pip-index": &o.PipIndex, "npm-registry": &o.NPMRegistry,
		"go-proxy": &o.GoProxy, "system-mirror": &o.SystemMirror} {
		f.Func(name, "", func(s string) error {
			if variable, ok := strings.CutPrefix(s, "env:"); ok {
				if s = os.Getenv(variable); s == "" {
					return fmt.Errorf("the variable %s is not set", variable)
				}
			}
			*to = s
			return nil
		})
	}
	return o
}

// common is what the flags say that run and python share.
type common struct {
	options sandbox.Options
	timeout time.Duration
	engine  string
	lists   []string // files of runtimes
	lock    string   // file of pins
}

// newCommon adds those flags to f.
func newCommon(f *flag.FlagSet) *common {
	c := &common{}
	o := &c.options
	f.StringVar(&o.Runtime, "runtime", "", "")
	f.StringVar(&o.Image, "image", "", "")
	f.StringVar(&o.Snapshot, "from-snapshot", "", "")
	f.BoolVar(&o.WritableRoot, "writable-root", false, "")
	runtimeFiles(f, &c.lists)
	f.StringVar(&c.lock, "lock", "", "")
	f.StringVar(&c.engine, "engine", "docker", "")
	o.Images = buildFlags(f)
	f.BoolVar(&o.Images.Offline, "offline", false, "")
	f.StringVar(&o.User, "user", "", "")
	f.StringVar(&o.WorkDir, "workdir", "", "")
	f.Func("timeout", "", into(&c.timeout, parseTimeout))
	f.Func("memory", "", into(&o.Memory, parseBytes))
	f.Func("cpus", "", into(&o.CPUs, parseCPUs))
	f.Func("pids", "", into(&o.PIDs, parsePIDs))
	f.Func("mount", "", func(s string) error {
		m, err := parseMount(s)
		o.Mounts = append(o.Mounts, m)
		return err
	})
	f.Func("env", "", func(s string) error {
		key, value, ok := strings.Cut(s, "=")
		if !ok || key == "" {
			return errors.New("write KEY=VALUE")
		}
		if o.Env == nil {
			o.Env = make(map[string]string)
		}
		o.Env[key] = value
		return nil
	})
	return c
}

// check refuses what only shows when all flags are there.
func (c *common) check() error {
	switch {
	case c.options.Runtime != "" && c.options.Image != "":
		return errors.New("both --runtime and --image; write one of them")
	case c.options.Snapshot != "" && c.options.Runtime+c.options.Image != "":
		return errors.New("--from-snapshot goes without --runtime and --image; write one of them")
	case c.engine == "":
		return errors.New("--engine is empty; write docker, podman or a path")
	}
	return nil
}

// invocation is what the arguments of run say.
type invocation struct {
	*common
	command  []string
	terminal bool
	json     bool

	uploads, downloads []copied
	exclude            []string // of uploads
	skip               bool
	expose             []port
	snapshot           string
}

var snapshotName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// copied is a file or a directory, and what becomes of it at the other end.
type copied struct{ from, to string }

// port is one of the sandbox, and the host's, 0 being a free one.
type port struct{ inside, host int }

// parseRun reads the arguments of run. The error is flag.ErrHelp where help was asked for.
func parseRun(args []string) (*invocation, error) {
	f := newFlags("run")
	in := &invocation{common: newCommon(f)}
	for _, name := range []string{"t", "it", "terminal"} {
		f.BoolVar(&in.terminal, name, false, "")
	}
	f.BoolVar(&in.json, "json", false, "")
	f.Func("upload", "", func(s string) error {
		c, err := parseCopied(s)
		if info, failed := os.Stat(c.from); failed == nil && !info.IsDir() && c.to == "" {
			c.to = filepath.Base(c.from)
		}
		c.to = cmp.Or(c.to, ".") // what a directory holds gets into the work dir
		in.uploads = append(in.uploads, c)
		return err
	})
	f.Func("exclude", "", func(pattern string) error {
		in.exclude = append(in.exclude, pattern)
		return nil
	})
	f.BoolVar(&in.skip, "skip", false, "")
	f.Func("download", "", func(s string) error {
		c, err := parseCopied(s)
		c.to = cmp.Or(c.to, "./")
		in.downloads = append(in.downloads, c)
		return err
	})
	f.Func("expose", "", func(s string) error {
		p, err := parsePort(s)
		in.expose = append(in.expose, p)
		return err
	})
	f.Func("snapshot", "", func(name string) error {
		in.snapshot = name
		if !snapshotName.MatchString(name) { // and not only when the command has ended
			return errors.New("write letters, digits, '.', '_' and '-', beginning with a letter or digit, at most 128")
		}
		return nil
	})
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	in.command = f.Args()
	switch {
	case len(in.command) == 0:
		return nil, errors.New("no command; write it after --, as in: drydock run -- python3 -V")
	case in.terminal && in.json:
		return nil, errors.New("both --terminal, which shows the output, and --json, which keeps it; write one of them")
	}
	return in, in.check()
}

// pythonInvocation is what the arguments of python say.
type pythonInvocation struct {
	*common
	code        []string
	files       []string
	interactive bool
	out         string
}

// parsePython reads the arguments of python.
func parsePython(args []string) (*pythonInvocation, error) {
	f := newFlags("python")
	in := &pythonInvocation{common: newCommon(f)}
	f.Func("c", "", func(code string) error {
		in.code = append(in.code, code)
		return nil
	})
	f.BoolVar(&in.interactive, "i", false, "")
	f.StringVar(&in.out, "out", "out", "")
	if err := f.Parse(args); err != nil {
		return nil, err
	}
	in.files = f.Args()
	if in.out == "" {
		return nil, errors.New("--out is empty; write a directory")
	}
	return in, in.check()
}

// into makes the value of a flag from its text.
func into[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) (err error) {
		*to, err = parse(s)
		return err
	}
}

func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("write how long, such as 30s, 5m or 1h30m")
	}
	return d, nil
}

func parseCPUs(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return 0, errors.New("write how many, such as 2 or 0.5")
	}
	return n, nil
}

// parseCopied reads SRC or SRC:DST. SRC may have colons, as paths of Windows do.
func parseCopied(s string) (copied, error) {
	c := copied{from: s}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasPrefix(s[i+1:], `\`) {
		c = copied{from: s[:i], to: s[i+1:]}
		if c.to == "" {
			c.from = ""
		}
	}
	if c.from == "" {
		return c, errors.New("write SRC or SRC:DST")
	}
	return c, nil
}

// parsePort reads PORT or HOSTPORT:PORT.
func parsePort(s string) (p port, err error) {
	host, inside, both := strings.Cut(s, ":")
	if !both {
		host, inside = "0", s
	}
	n, err1 := strconv.ParseUint(inside, 10, 16)
	h, err2 := strconv.ParseUint(host, 10, 16)
	if err1 != nil || err2 != nil || n == 0 || both && h == 0 {
		return port{}, errors.New("write PORT or HOSTPORT:PORT, each from 1 to 65535")
	}
	return port{int(n), int(h)}, nil
}

func parsePIDs(s string) (int64, error) {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n <= 0 {
		return 0, errors.New("write how many processes, such as 256")
	}
	return n, nil
}

// parseMount reads SRC:DST[:ro]. SRC is a path where it has a slash or is a dot, and else
// the name of a volume. It may have colons, as paths of Windows do; DST has none.
func parseMount(s string) (sandbox.Mount, error) {
	rest, readOnly := strings.CutSuffix(s, ":ro")
	if !readOnly {
		rest = strings.TrimSuffix(rest, ":rw")
	}
	i := strings.LastIndexByte(rest, ':')
	if i <= 0 || !path.IsAbs(rest[i+1:]) {
		return sandbox.Mount{}, errors.New("write SRC:DST or SRC:DST:ro, such as ./data:/data:ro, with an absolute DST")
	}
	m := sandbox.Mount{Source: rest[:i], Target: rest[i+1:], ReadOnly: readOnly}
	if m.Source == "." || m.Source == ".." || strings.ContainsAny(m.Source, `/\`) {
		abs, err := filepath.Abs(m.Source)
		if err != nil {
			return sandbox.Mount{}, fmt.Errorf("the directory it is relative to: %w", err)
		}
		m.Source = abs
	}
	return m, nil
}

var (
	size = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?) ?(?:b|([kmgt])(?:i?b)?)?$`)

	// powers of 1024, as container command lines read them: 1g, 1GB and 1GiB are one size.
	powers = map[string]float64{"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
)

// parseBytes reads a size such as 512m, 1.5g or 1GiB.
func parseBytes(s string) (int64, error) {
	if m := size.FindStringSubmatch(s); m != nil {
		n, _ := strconv.ParseFloat(m[1], 64) // out of range is infinite
		if n *= powers[strings.ToLower(m[2])]; n >= 1 && n < math.MaxInt64 {
			return int64(n), nil
		}
	}
	return 0, errors.New("write a size such as 512m, 1.5g or 1GiB")
}
