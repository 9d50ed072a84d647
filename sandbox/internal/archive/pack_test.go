//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// oddTree makes a tree of all that is kept.
func oddTree(t testing.TB, is *is.I, dir string) {
	t.Helper()
	is.Helper()
	put := func(name, data string, mode fs.FileMode) {
		is.NoErr(os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o755))
		is.NoErr(os.WriteFile(filepath.Join(dir, name), []byte(data), 0o600))
		is.NoErr(os.Chmod(filepath.Join(dir, name), mode))
	}
	for c := 1; c < 256; c++ {
		if c != '/' {
			put("bytes/x"+string([]byte{byte(c)}), fmt.Sprint(c), 0o644)
		}
	}
	for _, name := range []string{"with space", `quote'"`, "new\nline", "-rf", "--", "\xff\xfe no UTF-8", "ü", "*", "$(id)", `a\b`, "...", "x=1", strings.Repeat("n", 255)} {
		put("names/"+name, name, 0o640)
	}
	for _, size := range []int{0, 1, 511, 512, 513, bufferSize - 1, bufferSize, bufferSize + 1, 3*bufferSize + 7} {
		put(fmt.Sprint("sizes/", size), strings.Repeat("\x00\xff data", size)[:size], 0o600)
	}
	for _, mode := range []fs.FileMode{0o400, 0o755, 0o777, 0o666, 0o600} {
		put(fmt.Sprintf("modes/%o", mode), "x", mode)
	}
	put(strings.Repeat("deep/", 50)+"file", "deep", 0o644)
	is.NoErr(os.MkdirAll(filepath.Join(dir, "empty/empty"), 0o700))
	is.NoErr(os.Mkdir(filepath.Join(dir, "closed"), 0o755))
	put("closed/file", "x", 0o644)
	for name, to := range map[string]string{"link": "names", "names/up": "../sizes/0", "dangling": "nowhere", "loop": "loop", "self": ".", "odd": "new\nline\xff"} {
		is.NoErr(os.Symlink(to, filepath.Join(dir, name)))
	}
	is.NoErr(os.Link(filepath.Join(dir, "sizes/1"), filepath.Join(dir, "hard")))
	is.NoErr(os.Chtimes(filepath.Join(dir, "sizes/1"), time.Time{}, time.Date(1999, 12, 31, 23, 59, 59, 123456789, time.UTC)))
	is.NoErr(os.Chtimes(filepath.Join(dir, "empty"), time.Time{}, time.Date(2011, 1, 1, 1, 1, 1, 1, time.UTC)))
	is.NoErr(os.Chmod(filepath.Join(dir, "closed"), 0o555))
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, "closed"), 0o755) })
}

// described lists a tree: modes, times, contents, targets.
func described(is *is.I, dir string) map[string]string {
	is.Helper()
	all := make(map[string]string)
	is.NoErr(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		text := info.Mode().String()
		switch {
		case info.Mode().IsRegular():
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += info.ModTime().String() + string(data)
		case info.IsDir():
			text += info.ModTime().String()
		default:
			to, _ := os.Readlink(path)
			text += to
		}
		name, _ := filepath.Rel(dir, path)
		all[name] = text
		return nil
	}))
	return all
}

func makeFIFO(t testing.TB, name string) {
	t.Helper()
	if err := syscall.Mkfifo(name, 0o644); err != nil {
		t.Fatal(err)
	}
}

// shell runs a script in a directory.
func shell(is *is.I, dir, script string) {
	is.Helper()
	cmd := exec.Command("sh", "-ec", script)
	cmd.Dir = dir
	out, err := cmd.CombinedOutput()
	is.Equal(string(out), "")
	is.NoErr(err)
}

func packed(is *is.I, o *Options, pack func(*Packer) error) []byte {
	is.Helper()
	var b bytes.Buffer
	p := NewPacker(&b, o)
	is.NoErr(pack(p))
	is.NoErr(p.Close())
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	is := is.New(t)
	src := t.TempDir()
	oddTree(t, is, src)
	want := described(is, src)
	o := &Options{Exact: true}
	b := packed(is, o, func(p *Packer) error {
		err := p.Path(src)
		is.Equal(p.Total().Entries, int64(len(want)))
		return err
	})
	for name, archived := range map[string][]byte{
		"as it is":                  b,
		"by way of another archive": packed(is, o, func(p *Packer) error { return p.Archive(bytes.NewReader(b), true) }),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			dst := filepath.Join(t.TempDir(), "a/new/place")
			total, err := extract(bytes.NewReader(archived), dst, o)
			is.NoErr(err)
			t.Cleanup(func() { _ = os.Chmod(filepath.Join(dst, "closed"), 0o755) })
			is.Equal(total.Entries, int64(len(want)))
			got := described(is, dst)
			is.Equal(len(got), len(want))
			for name, text := range want {
				is.Equal(got[name], text) // the same contents, mode and time
			}
			// Once more over what is there: the same again.
			_, err = extract(bytes.NewReader(archived), dst, o)
			if os.Getuid() == 0 { // whom no directory is closed to
				is.NoErr(err)
				is.Equal(len(described(is, dst)), len(want))
			}
		})
	}
	t.Run("with the umask", func(t *testing.T) {
		is := is.New(t)
		dst := filepath.Join(t.TempDir(), "dst")
		old := syscall.Umask(0o027)
		_, err := extract(bytes.NewReader(b), dst, &Options{})
		syscall.Umask(old)
		is.NoErr(err)
		for name, mode := range map[string]fs.FileMode{"modes/777": 0o750, "modes/666": 0o640, "modes/400": 0o400, "closed": 0o750, "empty/empty": 0o700} {
			info, err := os.Stat(filepath.Join(dst, name))
			is.NoErr(err)
			is.Equal(info.Mode().Perm(), mode)
		}
	})
	t.Run("without some", func(t *testing.T) {
		is := is.New(t)
		dst := filepath.Join(t.TempDir(), "dst")
		b := packed(is, &Options{Exclude: filter(t, "names", "sizes/*", "bytes")}, func(p *Packer) error { return p.Path(src) })
		_, err := extract(bytes.NewReader(b), dst, &Options{})
		is.NoErr(err)
		for _, name := range slices.Sorted(maps.Keys(described(is, dst))) {
			is.True(!strings.HasPrefix(name, "names") && !strings.HasPrefix(name, "sizes/") && !strings.HasPrefix(name, "bytes"))
		}
	})
}

// Two trees in one archive, as in a snapshot, with entries that would be refused elsewhere.
func TestInside(t *testing.T) {
	is := is.New(t)
	work, home, root := t.TempDir(), t.TempDir(), t.TempDir()
	is.NoErr(os.WriteFile(work+"/file", []byte("x"), 0o644))
	is.NoErr(os.Chmod(work+"/file", 0o755|fs.ModeSetuid))
	is.NoErr(os.Symlink("/usr/bin/python3", work+"/python"))
	is.NoErr(os.Symlink("../../..", home+"/up"))
	makeFIFO(t, home+"/fifo")
	is.NoErr(os.MkdirAll(root+"/tree/dir", 0o755))
	o := &Options{Inside: true, Exact: true}
	b := packed(is, o, func(p *Packer) error {
		if err := p.Dir(work, "tree/dir/"); err != nil {
			return err
		}
		return p.Dir(home, "home/")
	})
	r := io.MultiReader(bytes.NewReader(b), strings.NewReader("what follows"))
	_, err := extract(r, root, o)
	is.NoErr(err)
	rest, err := io.ReadAll(r)
	is.NoErr(err)
	is.Equal(string(rest), "what follows") // it reads to the archive's end and no further
	got := described(is, root)
	is.Equal(slices.Sorted(maps.Keys(got)), []string{".", "home", "home/up", "tree", "tree/dir", "tree/dir/file", "tree/dir/python"})
	is.Equal(got["tree/dir/python"], "Lrwxrwxrwx/usr/bin/python3")
	is.True(strings.HasPrefix(got["tree/dir/file"], "-rwxr-xr-x"))
}

func TestOneFile(t *testing.T) {
	src := t.TempDir() + "/src"
	is.New(t).NoErr(os.WriteFile(src, []byte("new"), 0o640))
	b := packed(is.New(t), &Options{}, func(p *Packer) error { return p.Path(src) })
	for _, test := range []struct {
		name, setup, dst string // setup is a shell's
		code             wire.Code
		at               string // where the file then is
	}{
		{"new", "", "a/b/c", "", "a/b/c"},
		{"over a file", "echo old > f; chmod 600 f; ln f other", "f", "", "f"},
		{"over a file that a symlink leads to", "mkdir d; echo old > d/f; ln -s d/f l", "l", "", "d/f"},
		{"in a directory that a symlink leads to", "mkdir d; ln -s d l", "l/f", "", "d/f"},
		{"symlink to nothing", "ln -s none l", "l", wire.CodeExist, ""},
		{"directory", "mkdir d", "d", wire.CodeIsDir, ""},
		{"FIFO", "mkfifo p", "p", wire.CodeNotRegular, ""},
		{"symlink to a device", "ln -s /dev/null n", "n", wire.CodeNotRegular, ""},
		{"below a file", "echo x > f", "f/g", wire.CodeNotDir, ""},
		{"loop", "ln -s l l", "l", wire.CodeLoop, ""},
		{"long name", "", strings.Repeat("n", 256), wire.CodeNameTooLong, ""},
		{"below a FIFO", "mkfifo p", "p/x", wire.CodeNotDir, ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			shell(is, dir, test.setup)
			before := described(is, dir)
			_, err := extract(bytes.NewReader(b), dir+"/"+test.dst, &Options{})
			if test.code != "" {
				var e *wire.Error
				is.True(errors.As(err, &e))
				is.Equal(e.Code, test.code)
				is.Equal(described(is, dir), before) // as it was
				return
			}
			is.NoErr(err)
			info, err := os.Lstat(dir + "/" + test.at)
			is.NoErr(err)
			is.Equal(info.Mode(), fs.FileMode(0o640))
			got, err := os.ReadFile(dir + "/" + test.at)
			is.NoErr(err)
			is.Equal(string(got), "new")
			if other, err := os.ReadFile(dir + "/other"); err == nil {
				is.Equal(string(other), "old\n") // the file of another name is not written to
			}
		})
	}
	t.Run("and more", func(t *testing.T) {
		is := is.New(t)
		dst := t.TempDir() + "/dst"
		_, err := extract(bytes.NewReader(crafted(file("a", "x"), file("b", "x"))), dst, &Options{})
		is.Equal(err.(*wire.Error).Code, wire.CodeUnsafe)
		_, err = os.Lstat(dst)
		is.True(errors.Is(err, fs.ErrNotExist))
	})
}

func TestTreeInPlaceOf(t *testing.T) {
	for _, test := range []struct {
		name, setup, dst string
		code             wire.Code
	}{
		{"file", "echo x > f", "f", wire.CodeNotDir},
		{"FIFO", "mkfifo p", "p", wire.CodeNotDir},
		{"symlink to nothing", "ln -s none l", "l", wire.CodeExist},
		{"below a symlink to nothing", "ln -s none l", "l/x/y", wire.CodeExist},
		{"symlink to a directory", "mkdir d; ln -s d l", "l/", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			dir := t.TempDir()
			shell(is, dir, test.setup)
			_, err := extract(bytes.NewReader(tree(file("a/b", "x"))), dir+"/"+test.dst, &Options{})
			if test.code == "" {
				is.NoErr(err)
				_, err = os.Stat(dir + "/d/a/b")
				is.NoErr(err)
				return
			}
			is.Equal(err.(*wire.Error).Code, test.code)
			entries, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(entries), 1) // nothing is left
		})
	}
}

func TestPackRefuses(t *testing.T) {
	for _, test := range []struct {
		name, setup string
		code        wire.Code
		text        string
	}{
		{"FIFO", "mkfifo x", wire.CodeUnsafe, "a FIFO"},
		{"setuid", "touch x; chmod 4755 x", wire.CodeUnsafe, "a setuid or setgid file"},
		{"absolute symlink", "ln -s /etc/passwd x", wire.CodeUnsafe, `a symlink to an absolute path, "/etc/passwd"`},
		{"symlink out", "ln -s ../../x x", wire.CodeUnsafe, `a symlink that may lead out of the tree, to "../../x"`},
		{"unreadable", "touch x; chmod 0 x", wire.CodePermission, "permission denied"},
		{"unreadable directory", "mkdir x; chmod 0 x", wire.CodePermission, "permission denied"},
		{"too much", "head -c 2000 /dev/zero > x", wire.CodeTooLarge, "more than 1000 bytes: raise MaxBytes"},
		{"large hole", "truncate -s 1T x", wire.CodeTooLarge, "more than 1000 bytes: raise MaxBytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if test.code == wire.CodePermission && os.Getuid() == 0 {
				t.Skip("root may read everything; see the test of the guest")
			}
			is := is.New(t)
			dir := t.TempDir()
			is.NoErr(os.Mkdir(dir+"/d", 0o755))
			shell(is, dir+"/d", test.setup)
			o := &Options{Limits: Limits{Bytes: 1000}}
			err := NewPacker(io.Discard, o).Path(dir)
			is.Equal(err, &wire.Error{Code: test.code, Name: []byte("d/x"), Text: test.text})
			if test.code == wire.CodeTooLarge {
				return
			}
			o.Refused = func(*wire.Error) error { return nil }
			b := packed(is, o, func(p *Packer) error { return p.Path(dir) })
			_, err = extract(bytes.NewReader(b), dir+"/out", &Options{})
			is.NoErr(err)
			info, err := os.Lstat(dir + "/out/d/x")
			is.True(errors.Is(err, fs.ErrNotExist) || info.IsDir()) // left out, or of a directory what it holds
		})
	}
	t.Run("socket", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		l, err := net.Listen("unix", dir+"/s")
		is.NoErr(err)
		defer l.Close()
		is.Equal(NewPacker(io.Discard, &Options{}).Path(dir), &wire.Error{Code: wire.CodeUnsafe, Name: []byte("s"), Text: "a socket"})
	})
	t.Run("the source itself", func(t *testing.T) {
		is := is.New(t)
		dir := t.TempDir()
		makeFIFO(t, dir+"/fifo")
		is.NoErr(os.Symlink("loop", dir+"/loop"))
		for name, code := range map[string]wire.Code{"none": wire.CodeNotExist, "fifo": wire.CodeNotRegular, "loop": wire.CodeLoop, strings.Repeat("n", 256): wire.CodeNameTooLong, "fifo/x": wire.CodeNotDir} {
			err := NewPacker(io.Discard, &Options{}).Path(dir + "/" + name)
			is.Equal(err.(*wire.Error).Code, code)
			is.Equal(err.(*wire.Error).Name, nil)
		}
		is.Equal(NewPacker(io.Discard, &Options{}).Path("/dev/null").(*wire.Error).Code, wire.CodeNotRegular)
	})
}

// What becomes a FIFO between a look and the opening makes nobody wait.
func TestNothingBlocks(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	is.NoErr(os.Mkdir(dir+"/d", 0o755))
	makeFIFO(t, dir+"/fifo")
	makeFIFO(t, dir+"/d/fifo")
	d, err := openDir(dir)
	is.NoErr(err)
	defer d.Close()
	done := make(chan error)
	go func() {
		_, err := openDir(dir + "/fifo")
		done <- err
		_, err = d.Open("fifo/x")
		done <- err
		f, err := d.Open("d/fifo")
		if err == nil {
			defer f.Close()
			err = NewPacker(io.Discard, &Options{}).file(f, "d/fifo")
		}
		done <- err
	}()
	for range 3 {
		select {
		case err := <-done:
			is.True(err != nil)
		case <-time.After(5 * time.Second):
			t.Fatal("it waits for a writer")
		}
	}
}

// vanishing is a file system whose files are gone once somebody wants to read them.
type vanishing struct{ fstest.MapFS }

func (v vanishing) Open(name string) (fs.File, error) {
	if strings.HasPrefix(name, "gone") {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return v.MapFS.Open(name)
}

func TestFilesThatVanish(t *testing.T) {
	is := is.New(t)
	b := packed(is, &Options{}, func(p *Packer) error {
		return p.FS(vanishing{fstest.MapFS{"d/f": {}, "gone": {}, "gone-dir/x": {}}})
	})
	dst := t.TempDir() + "/dst"
	_, err := extract(bytes.NewReader(b), dst, &Options{})
	is.NoErr(err)
	is.Equal(slices.Sorted(maps.Keys(described(is, dst))), []string{".", "d", "d/f", "gone-dir"})
}

// claimed is a file system of files of other sizes than they say.
type claimed struct {
	fstest.MapFS
	size int64
}

func (c claimed) Open(name string) (fs.File, error) {
	f, err := c.MapFS.Open(name)
	if err != nil || name == "." {
		return f, err
	}
	return claimedFile{f, c.size}, nil
}

type claimedFile struct {
	fs.File
	size int64
}

func (f claimedFile) Stat() (fs.FileInfo, error) {
	info, err := f.File.Stat()
	return claimedInfo{info, f.size}, err
}

type claimedInfo struct {
	fs.FileInfo
	size int64
}

func (i claimedInfo) Size() int64 { return i.size }

func TestFilesThatChange(t *testing.T) {
	for _, test := range []struct {
		name             string
		says, has, packs int
		changed          bool
	}{
		{"small, grew", 10, 100, 100, false}, // what was read is one state of it
		{"small, shrank", 100, 10, 10, false},
		{"emptied", 100, 0, 0, false},
		{"grew beyond a buffer", 100, 2 * bufferSize, bufferSize, true},
		{"grew", 2 * bufferSize, 3 * bufferSize, 2 * bufferSize, true},
		{"shrank", 3 * bufferSize, 2*bufferSize - 5, 3 * bufferSize, true},
		{"shrank below a buffer", 3 * bufferSize, 10, 10, false},
		{"as large as it says", 3 * bufferSize, 3 * bufferSize, 3 * bufferSize, false},
		{"does not say", 0, 3 * bufferSize, 3 * bufferSize, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			data := bytes.Repeat([]byte("x"), test.has)
			var changed []string
			o := &Options{Changed: func(name string) { changed = append(changed, name) }}
			b := packed(is, o, func(p *Packer) error {
				return p.FS(claimed{fstest.MapFS{"f": {Data: data}}, int64(test.says)})
			})
			dst := t.TempDir() + "/dst"
			total, err := extract(bytes.NewReader(b), dst, &Options{})
			is.NoErr(err)
			is.Equal(total.Bytes, int64(test.packs))
			got, err := os.ReadFile(dst + "/f")
			is.NoErr(err)
			want := append(data, make([]byte, max(0, test.packs-test.has))...)[:test.packs]
			is.True(bytes.Equal(got, want))
			is.Equal(len(changed) > 0, test.changed)
		})
	}
	t.Run("does not say, and is large", func(t *testing.T) {
		is := is.New(t)
		err := NewPacker(io.Discard, &Options{}).FS(claimed{fstest.MapFS{"f": {Data: make([]byte, 9<<20)}}, 0})
		is.Equal(err.(*wire.Error).Code, wire.CodeTooLarge)
		is.Equal(string(err.(*wire.Error).Name), "f")
	})
}

// As os.CopyFS does: a file system that cannot be written to must not make files that cannot.
func TestModesOfAFileSystem(t *testing.T) {
	is := is.New(t)
	b := packed(is, &Options{}, func(p *Packer) error {
		return p.FS(fstest.MapFS{"d": {Mode: fs.ModeDir | 0o555}, "d/f": {Mode: 0o444}, "d/x": {Mode: 0o555}})
	})
	got := make(map[string]int64)
	for r := tar.NewReader(bytes.NewReader(b)); ; {
		h, err := r.Next()
		if err == io.EOF {
			break
		}
		is.NoErr(err)
		got[h.Name] = h.Mode
	}
	is.Equal(got, map[string]int64{"./": 0o755, "d/": 0o755, "d/f": 0o644, "d/x": 0o755})
}

// The directory that an archive goes to may be on a disk that is full.
func TestDiskFull(t *testing.T) {
	is := is.New(t)
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=64k"); err != nil {
		t.Skipf("no mounts here: %v", err)
	}
	defer syscall.Unmount(dir, 0)
	is.NoErr(os.Mkdir(dir+"/there", 0o755))
	b := tree(file("small", "x"), file("a/large", strings.Repeat("x", 1<<17)))
	for _, dst := range []string{"new", "there"} {
		_, err := extract(bytes.NewReader(b), dir+"/"+dst, &Options{})
		is.Equal(err, &wire.Error{Code: wire.CodeNoSpace, Name: []byte("a/large"), Text: "no space left on device"})
	}
	is.Equal(slices.Sorted(maps.Keys(described(is, dir))), []string{".", "there", "there/a", "there/small"}) // but for the file that did not fit
}

func TestStep(t *testing.T) {
	is := is.New(t)
	stop := errors.New("stop")
	o := &Options{Step: func(name string, total Total) error {
		if total.Bytes > 100_000 {
			return stop
		}
		return nil
	}}
	b := tree(file("a", strings.Repeat("x", 1<<20)))
	dst := t.TempDir() + "/dst"
	_, err := extract(bytes.NewReader(b), dst, o)
	is.Equal(err, stop)
	_, err = os.Lstat(dst)
	is.True(errors.Is(err, fs.ErrNotExist))
	is.Equal(NewPacker(io.Discard, o).Archive(bytes.NewReader(b), false), stop)
	broken := errors.New("broken")
	_, err = extract(io.MultiReader(bytes.NewReader(b[:3000]), failing{broken}), dst, &Options{})
	is.Equal(err, broken) // what the reader says, and not that the archive is cut
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

// Holes stay holes in a tree that stays in its sandbox, wherever in a file they are.
func TestHoles(t *testing.T) {
	is := is.New(t)
	const hole = 4 * bufferSize
	src, dst := t.TempDir(), t.TempDir()
	zeros, data := make([]byte, hole), bytes.Repeat([]byte("data"), bufferSize/4)
	for name, parts := range map[string][][]byte{
		"all": {zeros}, "first": {zeros, data}, "last": {data, zeros}, "both": {zeros, data, zeros},
		"between": {data, zeros, data}, "odd": {zeros[1:]}, "short": {zeros[:10]}, "empty": nil,
	} {
		is.NoErr(os.WriteFile(filepath.Join(src, name), bytes.Join(parts, nil), 0o600))
	}
	o := &Options{Inside: true, Exact: true}
	_, err := extract(bytes.NewReader(packed(is, o, func(p *Packer) error { return p.Dir(src, "") })), dst, o)
	is.NoErr(err)
	entries, err := os.ReadDir(src)
	is.NoErr(err)
	is.Equal(len(entries), 8)
	for _, e := range entries {
		want, err := os.ReadFile(filepath.Join(src, e.Name()))
		is.NoErr(err)
		got, err := os.ReadFile(filepath.Join(dst, e.Name()))
		is.NoErr(err)
		is.True(bytes.Equal(got, want)) // file of that name
		if e.Name() == "all" && runtime.GOOS == "linux" {
			info, err := os.Stat(filepath.Join(dst, e.Name()))
			is.NoErr(err)
			is.True(reflect.ValueOf(info.Sys()).Elem().FieldByName("Blocks").Int()*512 < hole)
		}
	}
}
