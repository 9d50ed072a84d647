//go:build linux

package archive

import (
	"archive/tar"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// item is an entry of a crafted archive.
type item struct {
	tar.Header
	data string
}

func file(name, data string) item {
	return item{tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(data))}, data}
}

func directory(name string) item {
	return item{tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755}, ""}
}

func symbolic(name, target string) item {
	return item{tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}, ""}
}

func typed(flag byte, name string) item {
	return item{tar.Header{Typeflag: flag, Name: name, Linkname: "dir/inner", Mode: 0o644}, ""}
}

func (i item) with(change func(*tar.Header)) item {
	change(&i.Header)
	return i
}

// tree is an archive that begins with a directory, as that of a tree does.
func tree(items ...item) []byte { return crafted(append([]item{directory("./")}, items...)...) }

func crafted(items ...item) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, i := range items {
		err := w.WriteHeader(&i.Header)
		if err == nil {
			_, err = io.WriteString(w, i.data)
		}
		if err != nil {
			panic(fmt.Sprintf("%q: %v", i.Name, err))
		}
	}
	if err := w.Close(); err != nil {
		panic(err)
	}
	return b.Bytes()
}

// patched is an archive's last header with other bytes at an offset, and a sum that fits.
func patched(flag byte, offset int, value string) []byte {
	b := tree(file("dir/victim", ""))
	h := b[len(b)-3*512:][:512]
	h[156] = flag
	copy(h[offset:], value)
	copy(h[148:156], "        ")
	sum := 0
	for _, c := range h {
		sum += int(c)
	}
	copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
	return b
}

// extended is a file with PAX records of one's own.
func extended(flag byte, records string, size int) []byte {
	block := func(flag byte, name string, data string, size int) []byte {
		h := make([]byte, 512)
		copy(h, name)
		copy(h[100:], "0000644\x000000000\x000000000\x00")
		copy(h[124:], fmt.Sprintf("%011o\x0000000000000\x00", size))
		h[156] = flag
		copy(h[257:], "ustar\x0000")
		copy(h[148:], "        ")
		sum := 0
		for _, c := range h {
			sum += int(c)
		}
		copy(h[148:], fmt.Sprintf("%06o\x00 ", sum))
		return append(h, append([]byte(data), make([]byte, (512-len(data)%512)%512)...)...)
	}
	b := tree()
	b = b[:len(b)-1024]
	b = append(b, block(flag, "pax", records, len(records))...)
	b = append(b, block(tar.TypeReg, "file", strings.Repeat("x", size), size)...)
	return append(b, make([]byte, 1024)...)
}

func record(key, value string) string {
	for n := len(key) + len(value); ; n++ {
		if s := fmt.Sprintf("%d %s=%s\n", n, key, value); len(s) == n {
			return s
		}
	}
}

// endless is an archive that has no end: first, and then again for ever.
type endless struct {
	first *bytes.Reader
	again []byte
	rest  []byte
}

func (e *endless) Read(p []byte) (int, error) {
	if e.first.Len() > 0 {
		return e.first.Read(p)
	}
	if len(e.rest) == 0 {
		e.rest = e.again
	}
	n := copy(p, e.rest)
	e.rest = e.rest[n:]
	return n, nil
}

func unending(again []byte) func() io.Reader {
	first := tree()
	return func() io.Reader { return &endless{first: bytes.NewReader(first[:len(first)-1024]), again: again} }
}

func fixed(b []byte) func() io.Reader { return func() io.Reader { return bytes.NewReader(b) } }

// headers are an archive's without its end.
func headers(items ...item) []byte {
	b := crafted(items...)
	return b[:len(b)-1024]
}

// deepFiles makes an archive of n files, each below 19 directories without entries of their own.
func deepFiles(n int) (items []item) {
	for i := range n {
		items = append(items, file(fmt.Sprint(i, "/", strings.Repeat("d/", 18), "x"), ""))
	}
	return items
}

var testLimits = Limits{Bytes: 1 << 20, Entries: 1000, Depth: 20, Path: 1024}

// hostile are archives that a sandbox may send, with their results in a directory that holds
// dir/inner, a FIFO named fifo, and a symlink named out that leads out of it.
var hostile = []struct {
	name string
	r    func() io.Reader
	code wire.Code // "" is success
	at   string    // the entry that the error names
}{
	{"absolute name", fixed(tree(file("/tmp/drydock-escaped", "x"))), wire.CodeUnsafe, "/tmp/drydock-escaped"},
	{"parent", fixed(tree(file("../escaped", "x"))), wire.CodeUnsafe, "../escaped"},
	{"parent further down", fixed(tree(file("a/b/../../../escaped", "x"))), wire.CodeUnsafe, "a/b/../../../escaped"},
	{"parent that stays inside", fixed(tree(file("a/../b", "x"))), wire.CodeUnsafe, "a/../b"},
	{"parent as a directory", fixed(tree(directory("../escaped/"))), wire.CodeUnsafe, "../escaped/"},
	{"name of the directory itself", fixed(tree(file("././.", "x"))), wire.CodeUnsafe, "."},
	{"symlink in place of the directory itself", fixed(tree(symbolic("./", "/tmp"))), wire.CodeUnsafe, "."},
	{"absolute symlink", fixed(tree(symbolic("l", "/etc/passwd"))), wire.CodeUnsafe, "l"},
	{"symlink to the parent", fixed(tree(symbolic("l", ".."))), wire.CodeUnsafe, "l"},
	{"symlink further out", fixed(tree(symbolic("dir/l", "../../outside"))), wire.CodeUnsafe, "dir/l"},
	{"symlink that goes down and up", fixed(tree(symbolic("l", "dir/../../outside"))), wire.CodeUnsafe, "l"},
	{"symlinks that lead out together", fixed(tree(directory("p/q"), symbolic("p/q/d", "../.."), symbolic("e", "p/q/d/../outside"))), wire.CodeUnsafe, "e"},
	{"symlink by one that was there", fixed(tree(symbolic("l", "out/secret"))), wire.CodeUnsafe, "l"},
	{"symlink and a file below it", fixed(tree(symbolic("l", "dir"), file("l/x", "x"))), wire.CodeIsDir, "l"},
	{"file below a symlink that was there", fixed(tree(file("out/escaped", "x"))), wire.CodeNotDir, "out"},
	{"directory in place of a symlink that was there", fixed(tree(directory("out"))), wire.CodeNotDir, "out"},
	{"file in place of a symlink that was there", fixed(tree(file("out", "x"))), "", ""},
	{"file in place of a FIFO", fixed(tree(file("fifo", "x"))), "", ""},
	{"directory in place of a FIFO", fixed(tree(file("fifo/x", "x"))), wire.CodeNotDir, "fifo"},
	{"file in place of a directory", fixed(tree(file("dir", "x"))), wire.CodeIsDir, "dir"},
	{"symlink in place of a directory", fixed(tree(symbolic("dir", "x"))), wire.CodeIsDir, "dir"},
	{"file, then a directory of that name", fixed(tree(file("a", "x"), file("a/b", "x"))), wire.CodeNotDir, "a"},
	{"directory, then a file of that name", fixed(tree(file("a/b", "x"), file("a", "x"))), wire.CodeIsDir, "a"},
	{"file twice", fixed(tree(file("a", "x"), file("a", "y"))), "", ""},
	{"symlink twice", fixed(tree(symbolic("a", "x"), symbolic("a", "y"))), "", ""},
	{"hard link", fixed(tree(typed(tar.TypeLink, "h"))), wire.CodeUnsafe, "h"},
	{"hard link to the outside", fixed(tree(typed(tar.TypeLink, "h").with(func(h *tar.Header) { h.Linkname = "/etc/passwd" }))), wire.CodeUnsafe, "h"},
	{"FIFO", fixed(tree(typed(tar.TypeFifo, "f"))), wire.CodeUnsafe, "f"},
	{"character device", fixed(tree(typed(tar.TypeChar, "c"))), wire.CodeUnsafe, "c"},
	{"block device", fixed(tree(typed(tar.TypeBlock, "b"))), wire.CodeUnsafe, "b"},
	{"unknown type", fixed(patched('Z', 0, "")), wire.CodeUnsafe, "dir/victim"},
	{"contiguous file", fixed(patched(tar.TypeCont, 0, "")), wire.CodeUnsafe, "dir/victim"},
	{"setuid", fixed(tree(file("s", "x").with(func(h *tar.Header) { h.Mode = 0o4755 }))), wire.CodeUnsafe, "s"},
	{"setgid", fixed(tree(file("s", "x").with(func(h *tar.Header) { h.Mode = 0o2755 }))), wire.CodeUnsafe, "s"},
	{"setgid directory", fixed(tree(directory("s").with(func(h *tar.Header) { h.Mode = 0o7755 }))), "", ""},
	{"odd mode", fixed(patched(tar.TypeReg, 100, "7777777")), wire.CodeUnsafe, "dir/victim"},
	{"closed directory", fixed(tree(directory("s").with(func(h *tar.Header) { h.Mode = 0 }), file("s/x", "x"))), "", ""},
	{"NUL in a PAX name", fixed(extended(tar.TypeXHeader, record("path", "a\x00b"), 1)), wire.CodeInvalid, ""},
	{"PAX name that leads out", fixed(extended(tar.TypeXHeader, record("path", "../../escaped"), 1)), wire.CodeUnsafe, "../../escaped"},
	{"PAX size that lies", fixed(extended(tar.TypeXHeader, record("size", "1000000"), 1)), wire.CodeInvalid, ""},
	{"PAX size of much", fixed(extended(tar.TypeXHeader, record("size", "9223372036854775807"), 1)), wire.CodeTooLarge, "file"},
	{"PAX size below zero", fixed(extended(tar.TypeXHeader, record("size", "-1"), 1)), wire.CodeInvalid, ""},
	{"PAX time of never", fixed(extended(tar.TypeXHeader, record("mtime", "9223372036854775807"), 1)), "", ""},
	{"PAX records that are none", fixed(extended(tar.TypeXHeader, "99999999999999999999 a=b\n", 1)), wire.CodeInvalid, ""},
	{"PAX records of 2 MiB", fixed(extended(tar.TypeXHeader, record("comment", strings.Repeat("x", 2<<20)), 1)), wire.CodeTooLarge, ""},
	{"PAX sparse file", fixed(extended(tar.TypeXHeader, record("GNU.sparse.major", "0")+record("GNU.sparse.minor", "1")+record("GNU.sparse.size", "1000000000000")+
		record("GNU.sparse.numblocks", "1")+record("GNU.sparse.map", "0,1"), 1)), wire.CodeTooLarge, "file"},
	{"small PAX sparse file", fixed(extended(tar.TypeXHeader, record("GNU.sparse.major", "0")+record("GNU.sparse.minor", "1")+record("GNU.sparse.size", "1000")+
		record("GNU.sparse.numblocks", "1")+record("GNU.sparse.map", "0,1"), 1)), wire.CodeUnsafe, "file"},
	{"GNU sparse file", fixed(patched(tar.TypeGNUSparse, 0, "")), wire.CodeInvalid, ""},
	{"global header", fixed(extended(tar.TypeXGlobalHeader, record("path", "../escaped"), 1)), "", ""},
	{"size below zero", fixed(patched(tar.TypeReg, 124, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff")), wire.CodeInvalid, ""},
	{"size of much", fixed(patched(tar.TypeReg, 124, "77777777777")), wire.CodeTooLarge, "dir/victim"},
	{"size of more", fixed(patched(tar.TypeReg, 124, "\x80\x00\x00\x00\x7f\xff\xff\xff\xff\xff\xff\xff")), wire.CodeTooLarge, "dir/victim"},
	{"directory with a size", fixed(patched(tar.TypeDir, 124, "77777777777")), wire.CodeTooLarge, "dir/victim"},
	{"long name", fixed(tree(file(strings.Repeat("n", 256), "x"))), wire.CodeNameTooLong, strings.Repeat("n", 256)},
	{"long directory", fixed(tree(file(strings.Repeat("n", 300)+"/x", "x"))), wire.CodeNameTooLong, strings.Repeat("n", 300)},
	{"long path", fixed(tree(file(strings.Repeat("name/", 300)+"x", "x"))), wire.CodeTooLarge, strings.Repeat("name/", 300) + "x"},
	{"very long path", fixed(tree(file(strings.Repeat("n", 9000), "x"))), wire.CodeTooLarge, strings.Repeat("n", 4096)},
	{"long symlink", fixed(tree(symbolic("l", strings.Repeat("n", 1025)))), wire.CodeTooLarge, "l"},
	{"empty symlink", fixed(patched(tar.TypeSymlink, 0, "")), wire.CodeUnsafe, "dir/victim"},
	{"deep path", fixed(tree(file(strings.Repeat("d/", 20)+"x", "x"))), wire.CodeTooLarge, strings.Repeat("d/", 20) + "x"},
	{"more bytes", fixed(tree(file("a", strings.Repeat("x", 1<<19)), file("b", strings.Repeat("x", 1<<19+1)))), wire.CodeTooLarge, "b"},
	{"endless file", unending(headers(file("a", strings.Repeat("x", 1000)))), wire.CodeTooLarge, "a"},
	{"endless empty files", unending(headers(file("a", ""))), wire.CodeTooLarge, "a"},
	{"endless directories", unending(headers(directory("d/"))), wire.CodeTooLarge, "d/"},
	{"endless symlinks", unending(headers(symbolic("l", "x"))), wire.CodeTooLarge, "l"},
	{"endless global headers", unending(extended(tar.TypeXGlobalHeader, record("comment", "x"), 0)[512:1536]), wire.CodeTooLarge, "pax"},
	{"endless PAX headers", unending(extended(tar.TypeXHeader, record("comment", "x"), 0)[512:1536]), wire.CodeTooLarge, ""},
	{"endless deep names", unending(headers(file(strings.Repeat("d/", 19)+"x", ""))), wire.CodeTooLarge, strings.Repeat("d/", 19) + "x"},
	{"directories without entries", fixed(tree(deepFiles(60)...)), wire.CodeTooLarge, "49/" + strings.Repeat("d/", 17) + "d"},
	{"endless noise", unending([]byte("drydock!")), wire.CodeInvalid, ""},
	{"nothing", fixed(nil), wire.CodeInvalid, ""},
	{"an end and nothing else", fixed(make([]byte, 1024)), wire.CodeInvalid, ""},
	{"cut in a header", fixed(tree(file("a", "x"))[:700]), wire.CodeInvalid, ""},
	{"cut in a file", fixed(tree(file("a", strings.Repeat("x", 100_000)))[:50_000]), wire.CodeInvalid, ""},
	{"noise", fixed([]byte(strings.Repeat("noise", 1000))), wire.CodeInvalid, ""},
	{"wrong sum", fixed(append(tree()[:512], bytes.Repeat([]byte("x"), 1024)...)), wire.CodeInvalid, ""},
}

// target is a directory to extract into, with its surroundings.
type target struct {
	outer, dst string
	before     map[string]string
}

// newTarget makes the surroundings and, with there, the directory with some files in it.
func newTarget(t testing.TB, is *is.I, there bool) *target {
	t.Helper()
	is.Helper()
	o := t.TempDir()
	g := &target{outer: o, dst: filepath.Join(o, "dst")}
	is.NoErr(os.Mkdir(filepath.Join(o, "outside"), 0o755))
	is.NoErr(os.WriteFile(filepath.Join(o, "outside/secret"), []byte("secret"), 0o600))
	is.NoErr(os.WriteFile(filepath.Join(o, "escaped"), []byte("as it was"), 0o644))
	if there {
		is.NoErr(os.MkdirAll(filepath.Join(g.dst, "dir"), 0o755))
		is.NoErr(os.WriteFile(filepath.Join(g.dst, "dir/inner"), []byte("inner"), 0o644))
		is.NoErr(os.Symlink("../outside", filepath.Join(g.dst, "out")))
		makeFIFO(t, filepath.Join(g.dst, "fifo"))
	}
	g.before = g.around(is)
	return g
}

// around lists the files outside the target, with their contents.
func (g *target) around(is *is.I) map[string]string {
	is.Helper()
	all := make(map[string]string)
	is.NoErr(filepath.WalkDir(g.outer, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if path == g.dst {
			return fs.SkipDir
		}
		info, err := d.Info()
		if err != nil || path == g.outer {
			return err
		}
		text := info.Mode().String()
		if info.Mode().IsRegular() {
			data, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			text += " " + string(data)
		}
		all[path] = text
		return nil
	}))
	return all
}

// check fails for results that no archive may have: a change outside, an entry of another type
// than file, directory or symlink, special bits, a symlink that leads out, a rest after a
// failure.
func (g *target) check(is *is.I, there bool, err error) {
	is.Helper()
	is.Equal(g.around(is), g.before) // nothing outside has changed
	if _, e := os.Lstat("/tmp/drydock-escaped"); e == nil {
		is.Fail() // nor elsewhere
	}
	_, e := os.Lstat(g.dst)
	is.Equal(e == nil, there || err == nil) // nothing is left of what failed
	if e != nil {
		return
	}
	root, e := os.OpenRoot(g.dst)
	is.NoErr(e)
	defer root.Close()
	is.NoErr(filepath.WalkDir(g.dst, func(path string, d fs.DirEntry, e error) error {
		if e != nil {
			return e
		}
		info, e := d.Info()
		if e != nil {
			return e
		}
		name, _ := filepath.Rel(g.dst, path)
		known := there && (name == "out" || name == "fifo")
		is.True(info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky|fs.ModeDevice|fs.ModeSocket) == 0)
		is.True(known || info.Mode()&fs.ModeNamedPipe == 0)
		is.True(!strings.HasPrefix(d.Name(), ".drydock-")) // nor a temporary file
		if info.Mode()&fs.ModeSymlink != 0 && !known {
			_, e := root.Stat(name)
			is.True(e == nil || !strings.Contains(e.Error(), "escapes")) // no symlink leads out
		}
		return nil
	}))
	if there {
		inner, e := os.ReadFile(filepath.Join(g.dst, "dir/inner"))
		is.NoErr(e)
		is.Equal(string(inner), "inner")
	}
}

// extract unpacks an archive in the way a download does.
func extract(r io.Reader, dst string, o *Options) (Total, error) {
	u, err := Unpack(r, dst, o)
	if err != nil {
		return Total{}, err
	}
	err = u.Commit()
	return u.Total(), err
}

func TestHostile(t *testing.T) {
	for _, test := range hostile {
		t.Run(test.name, func(t *testing.T) {
			for _, skip := range []bool{false, true} {
				is := is.New(t)
				o := &Options{Limits: testLimits}
				var refused []wire.Code
				if skip {
					o.Refused = func(err *wire.Error) error {
						refused = append(refused, err.Code)
						return nil
					}
				}
				g := newTarget(t, is, true)
				before := time.Now()
				_, err := extract(test.r(), g.dst, o)
				is.True(time.Since(before) < 20*time.Second)
				g.check(is, true, err)
				switch {
				case skip && test.code == wire.CodeUnsafe:
					is.NoErr(err)
					is.True(slices.Contains(refused, wire.CodeUnsafe))
				case test.code == "":
					is.NoErr(err)
				default:
					var e *wire.Error
					is.True(errors.As(err, &e)) // the typed error
					is.Equal(e.Code, test.code)
					is.Equal(string(e.Name), test.at)
				}
				// Where nothing was there before, it ends in another way in some cases, and no worse.
				g = newTarget(t, is, false)
				_, err = extract(test.r(), g.dst, o)
				g.check(is, false, err)
				is.True(err == nil || errors.As(err, new(*wire.Error)))
				// An archive made of it has nothing that is refused.
				var b bytes.Buffer
				p := NewPacker(&b, o)
				if err := p.Archive(test.r(), true); err != nil {
					is.True(errors.As(err, new(*wire.Error)))
					continue
				}
				is.NoErr(p.Close())
				g = newTarget(t, is, false)
				_, err = extract(&b, g.dst, &Options{})
				g.check(is, false, err)
				if e := (*wire.Error)(nil); errors.As(err, &e) {
					is.True(e.Code != wire.CodeUnsafe && e.Code != wire.CodeInvalid)
				}
			}
		})
	}
}

// FuzzExtract extracts whatever there is over an archive of files. It never does harm, and
// fails with the typed error alone.
func FuzzExtract(f *testing.F) {
	for _, h := range hostile {
		b, err := io.ReadAll(io.LimitReader(h.r(), 4<<10))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b, false, true)
		f.Add(b, true, false)
	}
	f.Fuzz(func(t *testing.T, b []byte, skip, there bool) {
		is := is.New(t)
		o := &Options{Limits: Limits{Bytes: 1 << 16, Entries: 50, Depth: 5, Path: 300}}
		if skip {
			o.Refused = func(*wire.Error) error { return nil }
		}
		g := newTarget(t, is, there)
		total, err := extract(bytes.NewReader(b), g.dst, o)
		g.check(is, there, err)
		is.True(err == nil || errors.As(err, new(*wire.Error)))
		is.True(total.Bytes <= o.Bytes && total.Entries <= o.Entries)
	})
}
