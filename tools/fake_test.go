package tools

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox"
)

// Fake is a sandbox in memory, with the work dir /workspace.
type Fake struct {
	// Run plays a shell command: it writes to stdout, and returns how that ended.
	Run func(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error)
	// Python plays code: it writes to o.Stdout. Default: there is no python3.
	Python func(ctx context.Context, code string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error)
	// Err is returned by every operation, as by a sandbox that is lost.
	Err error
	// OnEdit is called in Edit and WriteFile before anything is changed.
	OnEdit func(name string)

	mu     sync.Mutex
	nodes  map[string]*node
	clock  int64
	jobs   []*FakeJob
	python struct{ starts, restarts, closes int }
}

type node struct {
	data  []byte
	mode  fs.FileMode
	link  string
	mtime int64
}

// NewFake returns a sandbox with these files; "link -> target" is a symlink.
func NewFake(files map[string]string) *Fake {
	f := &Fake{nodes: map[string]*node{"/": {mode: fs.ModeDir | 0o755}}}
	f.mkdir("/workspace")
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if link, target, ok := strings.Cut(name, " -> "); ok {
			f.mkdir(path.Dir(f.abs(link)))
			f.nodes[f.abs(link)] = &node{mode: fs.ModeSymlink | 0o777, link: target}
			continue
		}
		f.Put(name, files[name])
	}
	return f
}

// Put writes a file as a program in the sandbox would, behind the tools' back.
func (f *Fake) Put(name, data string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.put(f.abs(name), []byte(data))
}

// Get returns a file's contents.
func (f *Fake) Get(name string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if n := f.nodes[f.abs(name)]; n != nil {
		return string(n.data)
	}
	return "(no such file)"
}

func (f *Fake) abs(name string) string {
	if !strings.HasPrefix(name, "/") {
		name = "/workspace/" + name
	}
	return name
}

func (f *Fake) put(name string, data []byte) {
	f.mkdir(path.Dir(name))
	f.clock++
	f.nodes[name] = &node{data: slices.Clone(data), mode: 0o644, mtime: f.clock * int64(time.Second)}
}

func (f *Fake) mkdir(name string) {
	for ; f.nodes[name] == nil; name = path.Dir(name) {
		f.nodes[name] = &node{mode: fs.ModeDir | 0o755}
	}
}

func fail(op, name string, code sandbox.Code) error {
	return &sandbox.Error{Op: op, Name: name, Code: code, Err: errors.New(strings.ReplaceAll(string(code), "_", " "))}
}

// real resolves symlinks and "..", element by element.
func (f *Fake) real(op, name string) (string, error) {
	todo, at := strings.Split(f.abs(name), "/"), "/"
	for links := 0; len(todo) > 0; {
		element := todo[0]
		todo = todo[1:]
		if n := f.nodes[at]; element != "" && n != nil && !n.mode.IsDir() {
			return "", fail(op, name, sandbox.CodeNotDir)
		}
		switch element {
		case "", ".":
			continue
		case "..":
			at = path.Dir(at)
			continue
		}
		at = path.Join(at, element)
		if n := f.nodes[at]; n != nil && n.link != "" {
			if links++; links > 40 {
				return "", fail(op, name, sandbox.CodeLoop)
			}
			todo = append(strings.Split(n.link, "/"), todo...)
			if at = path.Dir(at); path.IsAbs(n.link) {
				at = "/"
			}
		}
	}
	return at, nil
}

// begin locks the files and finds one of them.
func (f *Fake) begin(ctx context.Context, op, name string) (real string, n *node, err error) {
	f.mu.Lock()
	if err = context.Cause(ctx); err == nil {
		err = f.Err
	}
	if err == nil {
		real, err = f.real(op, name)
	}
	return real, f.nodes[real], err
}

func (f *Fake) RealPath(ctx context.Context, name string) (string, error) {
	defer f.mu.Unlock()
	real, _, err := f.begin(ctx, "realpath", name)
	return real, err
}

func (f *Fake) info(name string) sandbox.FileInfo {
	n := f.nodes[name]
	var info sandbox.FileInfo
	// The fields are the sandbox's own, and there is no other way to make one.
	v := reflect.ValueOf(&info).Elem().Field(0)
	v = reflect.NewAt(v.Type(), unsafe.Pointer(v.UnsafeAddr())).Elem()
	v.FieldByName("Name").SetBytes([]byte(path.Base(name)))
	v.FieldByName("Size").SetInt(int64(len(n.data)))
	v.FieldByName("Mode").SetUint(uint64(n.mode))
	v.FieldByName("ModTime").SetInt(n.mtime)
	v.FieldByName("Link").SetBytes([]byte(n.link))
	return info
}

func (f *Fake) Stat(ctx context.Context, name string) (sandbox.FileInfo, error) {
	defer f.mu.Unlock()
	real, n, err := f.begin(ctx, "stat", name)
	switch {
	case err != nil:
		return sandbox.FileInfo{}, err
	case n == nil:
		return sandbox.FileInfo{}, fail("stat", name, sandbox.CodeNotExist)
	}
	return f.info(real), nil
}

func (f *Fake) ReadDir(ctx context.Context, name string) ([]sandbox.FileInfo, error) {
	defer f.mu.Unlock()
	real, n, err := f.begin(ctx, "readdir", name)
	switch {
	case err != nil:
		return nil, err
	case n == nil:
		return nil, fail("readdir", name, sandbox.CodeNotExist)
	case !n.mode.IsDir():
		return nil, fail("readdir", name, sandbox.CodeNotDir)
	}
	var infos []sandbox.FileInfo
	for _, at := range f.sorted() {
		if at != "/" && path.Dir(at) == real {
			infos = append(infos, f.info(at))
		}
	}
	return infos, nil
}

func (f *Fake) sorted() []string {
	var names []string
	for name := range f.nodes {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// file begins an operation on a regular file.
func (f *Fake) file(ctx context.Context, op, name string) (string, *node, error) {
	real, n, err := f.begin(ctx, op, name)
	switch {
	case err != nil:
	case n == nil:
		err = fail(op, name, sandbox.CodeNotExist)
	case n.mode.IsDir():
		err = fail(op, name, sandbox.CodeIsDir)
	case !n.mode.IsRegular():
		err = fail(op, name, sandbox.CodeNotRegular)
	}
	return real, n, err
}

func (f *Fake) ReadFile(ctx context.Context, name string, opts *sandbox.ReadOptions) ([]byte, error) {
	defer f.mu.Unlock()
	_, n, err := f.file(ctx, "read", name)
	if err != nil {
		return nil, err
	}
	o := orZero(opts)
	data := n.data[min(int64(len(n.data)), o.Offset):]
	if o.Limit > 0 {
		data = data[:min(int64(len(data)), o.Limit)]
	}
	return slices.Clone(data), nil
}

func (f *Fake) ReadLines(ctx context.Context, name string, opts *sandbox.LineOptions) (*sandbox.Lines, error) {
	defer f.mu.Unlock()
	_, n, err := f.file(ctx, "read", name)
	if err != nil {
		return nil, err
	}
	l := &sandbox.Lines{First: max(1, opts.First), Size: int64(len(n.data)), Hash: fileHash(n.data)}
	for line := range bytes.Lines(n.data) {
		l.Total++
		if l.Total < l.First || opts.Count > 0 && l.Total >= l.First+opts.Count || l.Cut {
			continue
		}
		keep := len(line)
		if opts.MaxBytes > 0 {
			keep = min(keep, opts.MaxBytes-len(l.Text))
		}
		l.Text = append(l.Text, line[:keep]...)
		l.Count++
		l.Cut = keep < len(line)
	}
	return l, nil
}

func (f *Fake) WriteFile(ctx context.Context, name string, data []byte, _ *sandbox.WriteOptions) (sandbox.WriteResult, error) {
	if f.OnEdit != nil {
		f.OnEdit(name)
	}
	defer f.mu.Unlock()
	real, n, err := f.begin(ctx, "write", name)
	switch {
	case err != nil:
		return sandbox.WriteResult{}, err
	case n != nil && n.mode.IsDir():
		return sandbox.WriteResult{}, fail("write", name, sandbox.CodeIsDir)
	}
	f.put(real, data)
	return sandbox.WriteResult{Created: n == nil}, nil
}

func (f *Fake) Edit(ctx context.Context, name, old, text string, opts *sandbox.EditOptions) (*sandbox.EditResult, error) {
	if f.OnEdit != nil {
		f.OnEdit(name)
	}
	defer f.mu.Unlock()
	real, n, err := f.file(ctx, "edit", name)
	if err != nil {
		return nil, err
	}
	content := string(n.data)
	count := strings.Count(content, old)
	switch {
	case opts.IfHash != "" && opts.IfHash != fileHash(n.data):
		return nil, fail("edit", name, sandbox.CodeChanged)
	case count == 0:
		return nil, fail("edit", name, sandbox.CodeNoMatch)
	case count > 1 && !opts.All:
		return nil, fail("edit", name, sandbox.CodeManyMatches)
	}
	f.put(real, []byte(strings.ReplaceAll(content, old, text)))
	line := 1 + strings.Count(content[:strings.Index(content, old)], "\n")
	return &sandbox.EditResult{Count: count, Line: line, Hash: fileHash(f.nodes[real].data)}, nil
}

func fakePattern(op, glob string) (*sandbox.Pattern, error) {
	p, err := sandbox.CompilePattern(glob)
	if e, ok := errors.AsType[*sandbox.Error](err); ok {
		return nil, &sandbox.Error{Op: op, Name: glob, Code: sandbox.CodeInvalid, Err: fmt.Errorf("pattern %q: %w", glob, e.Err)}
	}
	return p, err
}

// dotted reports whether a path has an element that begins with a dot.
func dotted(rel string) bool {
	return strings.HasPrefix(rel, ".") || strings.Contains(rel, "/.")
}

func (f *Fake) Glob(ctx context.Context, text string, opts *sandbox.GlobOptions) (*sandbox.GlobResult, error) {
	defer f.mu.Unlock()
	dir, n, err := f.begin(ctx, "glob", opts.Dir)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, fail("glob", opts.Dir, sandbox.CodeNotExist)
	}
	p, err := fakePattern("glob", text)
	if err != nil {
		return nil, err
	}
	r := &sandbox.GlobResult{}
	for _, name := range f.sorted() {
		rel, ok := below(dir, name)
		if ok && rel != "" && p.Match(rel) && (opts.Hidden || dotted(text) || !dotted(rel)) {
			r.Matches = append(r.Matches, sandbox.Match{Path: rel, FileInfo: f.info(name)})
		}
	}
	if opts.Newest {
		slices.SortStableFunc(r.Matches, func(a, b sandbox.Match) int { return cmp.Compare(b.ModTime().UnixNano(), a.ModTime().UnixNano()) })
	}
	if r.More = len(r.Matches) > opts.Limit; r.More {
		r.Matches = r.Matches[:opts.Limit]
	}
	return r, nil
}

func (f *Fake) Grep(ctx context.Context, text string, opts *sandbox.GrepOptions) (*sandbox.GrepResult, error) {
	defer f.mu.Unlock()
	top, n, err := f.begin(ctx, "grep", opts.Path)
	if err != nil {
		return nil, err
	}
	if n == nil {
		return nil, fail("grep", opts.Path, sandbox.CodeNotExist)
	}
	if opts.IgnoreCase {
		text = "(?i:" + text + ")"
	}
	re := regexp.MustCompile(text)
	r, count := &sandbox.GrepResult{}, 0
	for _, name := range f.sorted() {
		rel, ok := below(top, name)
		n := f.nodes[name]
		if !ok || !n.mode.IsRegular() || dotted(rel) && !opts.Hidden || bytes.IndexByte(n.data, 0) >= 0 {
			continue
		}
		for _, include := range opts.Include {
			glob, err := fakePattern("grep", include)
			if err != nil {
				return nil, err
			}
			ok = glob.Match(path.Base(name))
		}
		if !ok {
			continue
		}
		lines := strings.Split(strings.TrimSuffix(string(n.data), "\n"), "\n")
		wanted, matches := map[int]bool{}, 0
		for i, line := range lines {
			if re.MatchString(line) {
				matches++
				for j := max(0, i-opts.Before); j <= min(len(lines)-1, i+opts.After); j++ {
					wanted[j] = wanted[j] || j == i
				}
			}
		}
		if matches > 0 && (opts.FilesOnly || opts.Count) {
			line := sandbox.Line{Path: name, Match: true}
			if opts.Count {
				line.Count = matches
			}
			r.Lines = append(r.Lines, line)
			continue
		}
		for i, line := range lines {
			match, ok := wanted[i]
			if !ok {
				continue
			}
			if match {
				if count++; count > opts.Limit {
					r.More = true
					return r, nil
				}
			}
			r.Lines = append(r.Lines, sandbox.Line{Path: name, Number: i + 1, Text: []byte(line), Match: match})
		}
	}
	return r, nil
}

func (f *Fake) Command(name string, args ...string) *sandbox.Command {
	return &sandbox.Command{Args: append([]string{name}, args...)}
}

func (f *Fake) run(ctx context.Context, c *sandbox.Command) (*sandbox.Result, error) {
	if err := cmp.Or(context.Cause(ctx), f.Err); err != nil {
		return nil, err
	}
	if f.Run == nil {
		fmt.Fprintf(c.Stdout, "ran: %s\n", c.Args[len(c.Args)-1])
		return &sandbox.Result{Outcome: sandbox.Exited}, nil
	}
	return f.Run(ctx, c)
}

// Exits is a Run that writes text to stdout and exits with a code.
func Exits(text string, code int) func(context.Context, *sandbox.Command) (*sandbox.Result, error) {
	return func(_ context.Context, c *sandbox.Command) (*sandbox.Result, error) {
		_, _ = io.WriteString(c.Stdout, text)
		return &sandbox.Result{Outcome: sandbox.Exited, ExitCode: code}, nil
	}
}
