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

// newFlags returns a flag set that prints nothing: the command prints the error.
func newFlags(name string) *flag.FlagSet {
	f := flag.NewFlagSet(name, flag.ContinueOnError)
	f.SetOutput(io.Discard)
	return f
}

// runtimeFiles adds the flag --runtimes. It may be repeated, and its value may be a list like PATH.
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

// catalog loads the runtimes of files. Without files it loads those that DRYDOCK_RUNTIMES names.
func catalog(files []string) (*drydock.Catalog, error) {
	if len(files) == 0 {
		return drydock.Default()
	}
	return drydock.Load(files...)
}

// buildFlagsUsage describes the flags of buildFlags.
const buildFlagsUsage = `  --pull POLICY         pull base images if they are missing (the default), never, or always
  --pip-index URL       the indexes from which builds install packages; env:NAME takes the URL,
  --npm-registry URL    which may hold a password, from a variable
  --go-proxy URL
  --system-mirror URL   a scheme and host that replace those in the sources of apt and apk
`

// buildFlags adds the flags that configure how images are built.
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

// common holds the values of the flags that run and python share.
type common struct {
	options      sandbox.Options
	timeout      time.Duration
	engine       string
	catalogFiles []string // files of runtimes
	lock         string   // the lock file
}

// newCommon adds these flags to f.
func newCommon(f *flag.FlagSet) *common {
	c := &common{}
	o := &c.options
	f.StringVar(&o.Runtime, "runtime", "", "")
	f.StringVar(&o.Image, "image", "", "")
	f.StringVar(&o.Snapshot, "from-snapshot", "", "")
	f.BoolVar(&o.WritableRoot, "writable-root", false, "")
	runtimeFiles(f, &c.catalogFiles)
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

// check refuses combinations of flags.
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

// invocation holds the arguments of run.
type invocation struct {
	*common
	command  []string
	terminal bool
	json     bool

	uploads, downloads []copySpec
	exclude            []string // of uploads
	skip               bool
	expose             []port
	snapshot           string
}

var snapshotName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,127}$`)

// copySpec is a file or a directory to copy, and its target.
type copySpec struct{ from, to string }

// port is a port of the sandbox and the port of the host for it; 0 is any free one.
type port struct{ inside, host int }

// parseRun reads the arguments of run. If they ask for help the error is flag.ErrHelp.
func parseRun(args []string) (*invocation, error) {
	f := newFlags("run")
	in := &invocation{common: newCommon(f)}
	for _, name := range []string{"t", "it", "terminal"} {
		f.BoolVar(&in.terminal, name, false, "")
	}
	f.BoolVar(&in.json, "json", false, "")
	f.Func("upload", "", func(s string) error {
		c, err := parseCopySpec(s)
		if info, failed := os.Stat(c.from); failed == nil && !info.IsDir() && c.to == "" {
			c.to = filepath.Base(c.from)
		}
		c.to = cmp.Or(c.to, ".") // the content of a directory goes into the work dir
		in.uploads = append(in.uploads, c)
		return err
	})
	f.Func("exclude", "", func(pattern string) error {
		in.exclude = append(in.exclude, pattern)
		return nil
	})
	f.BoolVar(&in.skip, "skip", false, "")
	f.Func("download", "", func(s string) error {
		c, err := parseCopySpec(s)
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
		if !snapshotName.MatchString(name) { // now, not when the command has ended
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

// pythonInvocation holds the arguments of python.
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

// into returns a function that parses the text of a flag into *to.
func into[T any](to *T, parse func(string) (T, error)) func(string) error {
	return func(s string) (err error) {
		*to, err = parse(s)
		return err
	}
}

func parseTimeout(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New("write a duration such as 30s, 5m or 1h30m")
	}
	return d, nil
}

func parseCPUs(s string) (float64, error) {
	n, err := strconv.ParseFloat(s, 64)
	if err != nil || !(n > 0) || math.IsInf(n, 0) {
		return 0, errors.New("write a number such as 2 or 0.5")
	}
	return n, nil
}

// parseCopySpec reads SRC or SRC:DST. SRC may contain colons, as paths of Windows do.
func parseCopySpec(s string) (copySpec, error) {
	c := copySpec{from: s}
	if i := strings.LastIndexByte(s, ':'); i >= 0 && !strings.HasPrefix(s[i+1:], `\`) {
		c = copySpec{from: s[:i], to: s[i+1:]}
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
		return 0, errors.New("write a number of processes such as 256")
	}
	return n, nil
}

// parseMount reads SRC:DST[:ro]. SRC is a path if it contains a slash or is . or .., else the name
// of a volume. SRC may contain colons, as paths of Windows do; DST may not.
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
			return sandbox.Mount{}, fmt.Errorf("the path is relative, and the current directory is unknown: %w", err)
		}
		m.Source = abs
	}
	return m, nil
}

var (
	size = regexp.MustCompile(`(?i)^(\d+(?:\.\d+)?) ?(?:b|([kmgt])(?:i?b)?)?$`)

	// powers are those of 1024, as in container command lines: 1g, 1GB and 1GiB are one size.
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
