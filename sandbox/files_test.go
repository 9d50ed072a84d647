package sandbox_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"strings"
	"testing"
	"testing/fstest"
	"testing/iotest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// everyImage are the images whose files must be alike: with a shell and GNU tools, with
// enginetest.Busybox, and with nothing but one static binary.
var everyImage = []string{"localhost/drydock/debian:bookworm", "localhost/drydock/busybox:1", "localhost/drydock/static:1"}

func TestFilesOnEveryImage(t *testing.T) {
	for _, image := range everyImage {
		t.Run(image, func(t *testing.T) {
			sb := enginetest.Open(t, sandbox.Options{Image: image})
			t.Run("fs", func(t *testing.T) { testFS(t, sb) })
			t.Run("write from", func(t *testing.T) { testWriteFrom(t, sb) })
			t.Run("attributes", func(t *testing.T) { testAttributes(t, sb) })
			t.Run("walk", func(t *testing.T) { testWalk(t, sb) })
			t.Run("multi-edit", func(t *testing.T) { testMultiEdit(t, sb) })
			t.Run("watch", func(t *testing.T) { testWatch(t, sb) })
			t.Run("obstacles", func(t *testing.T) { testObstacles(t, sb) })
		})
	}
}

func testFS(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx := context.Background()
	large := bytes.Repeat([]byte("0123456789abcdef"), 1<<18) // 4 MiB, many frames
	for name, data := range map[string][]byte{"empty": {}, "all bytes": allBytes(), "dir/some": []byte("0123456789"), "dir/sub/-x": []byte("x")} {
		_, err := sb.WriteFile(ctx, "fs/"+name, data, nil)
		is.NoErr(err)
	}
	is.NoErr(sb.Symlink(ctx, "dir/some", "fs/link2"))
	is.NoErr(sb.MkdirAll(ctx, "fs/none", 0o755))
	fsys := sb.FS(ctx, "fs")
	is.NoErr(fstest.TestFS(fsys, "empty", "all bytes", "dir/some", "dir/sub/-x", "link2", "none"))
	_, err := sb.WriteFile(ctx, "fs/dir/large", large, nil)
	is.NoErr(err)
	is.NoErr(sb.Symlink(ctx, "dir/large", "fs/link"))

	data, err := fs.ReadFile(fsys, "all bytes")
	is.NoErr(err)
	is.True(bytes.Equal(data, allBytes()))
	f, err := fsys.Open("link")
	is.NoErr(err)
	_, err = f.(io.Seeker).Seek(-20, io.SeekEnd)
	is.NoErr(err)
	tail, err := io.ReadAll(f)
	is.NoErr(err)
	is.Equal(string(tail), "cdef0123456789abcdef")
	_, err = f.(io.Seeker).Seek(1, io.SeekStart)
	is.NoErr(err)
	one := make([]byte, 3)
	_, err = io.ReadFull(f, one) // and the rest, which waits, is given up
	is.NoErr(err)
	is.Equal(string(one), "123")
	n, err := f.(io.ReaderAt).ReadAt(one, int64(len(large))-2)
	is.Equal(n, 2)
	is.Equal(err, io.EOF)
	is.NoErr(f.Close())
	_, err = f.Read(one)
	is.True(errors.Is(err, fs.ErrClosed))

	for name, want := range map[string]error{"nothing": fs.ErrNotExist, "../x": fs.ErrInvalid, "/etc": fs.ErrInvalid} {
		_, err = fsys.Open(name)
		is.True(errors.Is(err, want)) // each has its own error
	}
	ended, cancel := context.WithCancel(ctx)
	f, err = sb.FS(ended, "fs").Open("dir/large")
	is.NoErr(err)
	_, err = io.ReadFull(f, one)
	is.NoErr(err)
	cancel()
	_, err = io.Copy(io.Discard, f)
	is.True(errors.Is(err, context.Canceled))
	is.NoErr(f.Close())
	is.True(sb.Alive())
}

func allBytes() []byte {
	b := make([]byte, 256)
	for i := range b {
		b[i] = byte(i)
	}
	return b
}

func testWriteFrom(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx := context.Background()
	text := strings.Repeat("0123456789", 100_000)
	w, err := sb.WriteFrom(ctx, "from/a", iotest.HalfReader(strings.NewReader(text)), &sandbox.WriteOptions{Mode: 0o600})
	is.NoErr(err)
	is.True(w.Created && !w.InPlace)
	sum := sha256.Sum256([]byte(text))
	hash, err := sb.Hash(ctx, "from/a")
	is.NoErr(err)
	is.Equal(hash, hex.EncodeToString(sum[:]))

	bad := errors.New("bad disk")
	for name, r := range map[string]io.Reader{
		"at once": iotest.ErrReader(bad),
		"late":    io.MultiReader(strings.NewReader(text), iotest.ErrReader(bad)),
		"short":   io.MultiReader(strings.NewReader("x"), iotest.ErrReader(io.ErrUnexpectedEOF)),
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := sb.WriteFrom(ctx, "from/a", r, nil)
			is.True(err != nil && sb.Alive())
			again, err := sb.Hash(ctx, "from/a")
			is.NoErr(err)
			is.Equal(again, hash) // as it was
			entries, err := sb.ReadDir(ctx, "from")
			is.NoErr(err)
			is.Equal(len(entries), 1) // and nothing beside it
		})
	}
	slow, cancel := context.WithTimeout(ctx, 50*time.Millisecond)
	defer cancel()
	_, err = sb.WriteFrom(slow, "from", strings.NewReader(strings.Repeat("x", 4<<20)), nil)
	is.True(err != nil) // a directory
}

func testAttributes(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx := context.Background()
	_, err := sb.WriteFile(ctx, "attr", []byte("x"), nil)
	is.NoErr(err)
	is.NoErr(sb.Chmod(ctx, "attr", 0o751|fs.ModeSticky))
	when := time.Unix(1_000_000_000, 123_456_789)
	is.NoErr(sb.Chtimes(ctx, "attr", time.Time{}, when))
	is.NoErr(sb.Symlink(ctx, "attr", "sym"))
	info, err := sb.Stat(ctx, "sym")
	is.NoErr(err)
	is.Equal(info.Mode(), 0o751|fs.ModeSticky)
	is.True(info.ModTime().Equal(when))
	is.NoErr(sb.Chtimes(ctx, "sym", when, time.Time{}))
	info, err = sb.Stat(ctx, "attr")
	is.NoErr(err)
	is.True(info.ModTime().Equal(when)) // left as it was
	_, err = sb.Edit(ctx, "sym", "x", "y", nil)
	is.NoErr(err)
	info, err = sb.Lstat(ctx, "attr")
	is.NoErr(err)
	is.Equal(info.Mode(), 0o751|fs.ModeSticky) // an edit keeps it
	target, err := sb.Readlink(ctx, "sym")
	is.NoErr(err)
	is.Equal(target, "attr")

	for name, test := range map[string]struct {
		err  error
		want error
		code sandbox.Code
	}{
		"chmod of nothing":   {sb.Chmod(ctx, "no", 0o600), fs.ErrNotExist, "not_exist"},
		"chmod of another's": {sb.Chmod(ctx, "/etc", 0o700), fs.ErrPermission, ""},
		"times of nothing":   {sb.Chtimes(ctx, "no", when, when), fs.ErrNotExist, "not_exist"},
		"symlink over":       {sb.Symlink(ctx, "x", "attr"), fs.ErrExist, "exist"},
		"symlink in nothing": {sb.Symlink(ctx, "x", "no/x"), fs.ErrNotExist, "not_exist"},
		"remove no name":     {sb.RemoveAll(ctx, ""), fs.ErrInvalid, "invalid"},
		"link of a file":     {second(sb.Readlink(ctx, "attr")), fs.ErrInvalid, "invalid"},
		"hash of a dir":      {second(sb.Hash(ctx, ".")), nil, "is_dir"},
		"hash of a device":   {second(sb.Hash(ctx, "/dev/null")), nil, "not_regular"},
		"name too long":      {sb.Symlink(ctx, "x", strings.Repeat("n", 256)), nil, "name_too_long"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			e, ok := errors.AsType[*sandbox.Error](test.err)
			is.True(ok)
			is.True(test.want == nil || errors.Is(e, test.want))
			is.True(test.code == "" || e.Code == test.code)
		})
	}
}

func second[T any](_ T, err error) error { return err }

func testWalk(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx := context.Background()
	for _, name := range []string{"w/b/two", "w/a", "w/b/c/three", "w/.h", "w/new\nline"} {
		_, err := sb.WriteFile(ctx, name, []byte("1234"), nil)
		is.NoErr(err)
	}
	is.NoErr(sb.Symlink(ctx, "b", "w/link"))
	is.NoErr(sb.Symlink(ctx, "w", "toward"))
	walk := func(root string, opts *sandbox.WalkOptions) string {
		var out []string
		for m, err := range sb.Walk(ctx, root, opts) {
			is.NoErr(err)
			out = append(out, m.Path)
		}
		return strings.Join(out, "|")
	}
	is.Equal(walk("w", nil), "w|w/.h|w/a|w/b|w/b/c|w/b/c/three|w/b/two|w/link|w/new\nline")
	is.Equal(walk("toward", &sandbox.WalkOptions{MaxDepth: 1}), "toward|toward/.h|toward/a|toward/b|toward/link|toward/new\nline")
	is.Equal(walk("w/a", nil), "w/a")
	for m, err := range sb.Walk(ctx, "w", nil) {
		is.NoErr(err)
		if m.Path == "w/b" {
			is.Equal(m.Name(), "b")
			break // gives up the rest
		}
	}
	for m, err := range sb.Walk(ctx, "none", nil) {
		is.True(errors.Is(err, fs.ErrNotExist))
		is.Equal(m.Path, "")
	}
	u, err := sb.Usage(ctx, "w")
	is.NoErr(err)
	is.Equal(fmt.Sprint(u.Bytes, u.Files, u.Dirs, u.Others, u.Errors), "20 5 3 1 0")
	is.True(u.Disk >= u.Bytes)
	u, err = sb.Usage(ctx, "w/a")
	is.NoErr(err)
	is.Equal(u.Bytes, int64(4))
	is.NoErr(sb.Chmod(ctx, "w/b", 0))
	errs := 0
	for m, err := range sb.Walk(ctx, "w", nil) {
		if err != nil {
			errs++
			is.Equal(m.Path, "w/b")
			is.True(errors.Is(err, fs.ErrPermission))
		}
	}
	is.Equal(errs, 1)
	u, err = sb.Usage(ctx, "w")
	is.NoErr(err)
	is.Equal(fmt.Sprint(u.Files, u.Errors), "3 1")
	is.NoErr(sb.Chmod(ctx, "w/b", 0o755))
}

func testMultiEdit(t *testing.T, sb *sandbox.Sandbox) {
	ctx := context.Background()
	const text = "one\ntwo\nthree\ntwo\n"
	for name, test := range map[string]struct {
		edits []sandbox.Replacement
		opts  *sandbox.EditOptions
		want  string
		err   error
		says  string
	}{
		"in turn": {[]sandbox.Replacement{{Old: "three", New: "3"}, {Old: "two", New: "2", All: true}, {Old: "2\n3", New: "x"}}, nil, "one\nx\n2\n", nil, ""},
		"missing": {[]sandbox.Replacement{{Old: "one", New: "1"}, {Old: "four", New: "4"}}, nil, text, sandbox.ErrNoMatch, "edit 2 of 2"},
		"many":    {[]sandbox.Replacement{{Old: "one", New: "1"}, {Old: "two", New: "2"}}, nil, text, sandbox.ErrManyMatches, "2 times"},
		"empty":   {[]sandbox.Replacement{{Old: "one", New: "1"}, {Old: "", New: "2"}}, nil, text, fs.ErrInvalid, "edit 2 of 2"},
		"none":    {nil, nil, text, fs.ErrInvalid, "no edits"},
		"changed": {[]sandbox.Replacement{{Old: "one", New: "1"}}, &sandbox.EditOptions{IfHash: "x"}, text, sandbox.ErrChanged, ""},
		"too long": {[]sandbox.Replacement{{Old: "e", New: strings.Repeat("e", 2<<20), All: true}, {Old: "e", New: strings.Repeat("x", 100), All: true}},
			nil, text, sandbox.ErrTooLarge, "limit"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := sb.WriteFile(ctx, "multi", []byte(text), nil)
			is.NoErr(err)
			r, err := sb.MultiEdit(ctx, "multi", test.edits, test.opts)
			if test.err == nil {
				is.NoErr(err)
				is.Equal(r.Count, 4)
				is.Equal(r.Line, 3)
			} else {
				is.True(errors.Is(err, test.err))
				is.True(strings.Contains(err.Error(), test.says))
			}
			data, err := sb.ReadFile(ctx, "multi", nil)
			is.NoErr(err)
			is.Equal(string(data), test.want)
		})
	}
}

func testObstacles(t *testing.T, sb *sandbox.Sandbox) {
	is := is.New(t)
	ctx := context.Background()
	is.NoErr(sb.MkdirAll(ctx, "o/dir", 0o755))
	_, err := sb.WriteFile(ctx, "o/file", []byte("12345"), nil)
	is.NoErr(err)
	is.NoErr(sb.Symlink(ctx, "loop2", "o/loop1"))
	is.NoErr(sb.Symlink(ctx, "loop1", "o/loop2"))
	read := func(name string, opts *sandbox.ReadOptions) error { return second(sb.ReadFile(ctx, name, opts)) }
	write := func(name string) error { return second(sb.WriteFile(ctx, name, []byte("x"), nil)) }
	for name, test := range map[string]struct {
		err  error
		code sandbox.Code
	}{
		"missing":               {read("o/none", nil), "not_exist"},
		"directory as a file":   {read("o/dir", nil), "is_dir"},
		"write a directory":     {write("o/dir"), "is_dir"},
		"file as a directory":   {read("o/file/x", nil), "not_dir"},
		"write below a file":    {write("o/file/x"), "not_dir"},
		"list a file":           {second(sb.ReadDir(ctx, "o/file")), "not_dir"},
		"permission":            {write("/etc/x"), ""},
		"long name":             {write("o/" + strings.Repeat("n", 256)), "name_too_long"},
		"loop":                  {read("o/loop1", nil), "loop"},
		"write a loop":          {write("o/loop1"), "loop"},
		"walk a loop":           {walkError(sb, "o/loop1"), "loop"},
		"device":                {read("/dev/zero", nil), "not_regular"},
		"write a device":        {write("/dev/null"), "not_regular"},
		"watch a file":          {second(sb.Watch(ctx, "o/file", nil)), "not_dir"},
		"watch nothing":         {second(sb.Watch(ctx, "o/none", nil)), "not_exist"},
		"watch with a bad glob": {second(sb.Watch(ctx, "o", &sandbox.WatchOptions{Exclude: []string{"[a"}})), "invalid"},
		"remove a directory":    {sb.Remove(ctx, "o"), "not_empty"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			e, ok := errors.AsType[*sandbox.Error](test.err)
			is.True(ok) // typed
			is.True(e.Code == test.code || test.code == "" && (e.Code == sandbox.CodePermission || e.Code == sandbox.CodeReadOnly))
		})
	}
	data, err := sb.ReadFile(ctx, "o/file", &sandbox.ReadOptions{Offset: 100})
	is.NoErr(err)
	is.Equal(len(data), 0)                                 // past the end is the end
	status, err := sb.ReadFile(ctx, "/proc/1/limits", nil) // has a size of 0
	is.NoErr(err)
	is.True(bytes.Contains(status, []byte("Max open files")))
}

func walkError(sb *sandbox.Sandbox, root string) (err error) {
	for _, e := range sb.Walk(context.Background(), root, nil) {
		err = e
	}
	return err
}

// never is a reader with neither bytes nor an end.
type never struct{}

func (never) Read([]byte) (int, error) { return 0, nil }

// trickle has a byte now and then.
type trickle struct{}

func (trickle) Read(p []byte) (int, error) {
	time.Sleep(10 * time.Millisecond)
	p[0] = 0
	return 1, nil
}

func TestReadersWithoutAnEnd(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	for name, do := range map[string]func(context.Context, io.Reader) error{
		"write": func(ctx context.Context, r io.Reader) error {
			_, err := sb.WriteFrom(ctx, "file", r, nil)
			return err
		},
		"upload": func(ctx context.Context, r io.Reader) error {
			_, err := sb.UploadTar(ctx, r, "tree", nil)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.True(errors.Is(do(context.Background(), never{}), io.ErrNoProgress))
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			is.True(errors.Is(do(ctx, trickle{}), context.DeadlineExceeded))
		})
	}
	exists, err := sb.Exists(context.Background(), "file")
	is.NoErr(err)
	is.True(!exists) // nothing half written
}

// What Walk and Usage cannot see they tell of, and Rollback removes it all the same.
func TestTreesThatCannotBeSeen(t *testing.T) {
	is := is.New(t)
	e, _ := enginetest.Engine(t)
	ctx := context.Background()
	sb, err := sandbox.Open(ctx, &sandbox.Options{Engine: e, Image: "localhost/drydock/python:bookworm"})
	is.NoErr(err)
	defer sb.Close()
	name := snapshotName(t, e)
	is.NoErr(sb.Snapshot(ctx, name))
	r, err := sb.Command("python3", "-c", `
import os
os.mkdir("listed"); open("listed/file", "w"); os.chmod("listed", 0o400)
os.mkdir("deep"); os.chdir("deep")
for i in range(300):
    os.mkdir("n" * 20); os.chdir("n" * 20)
os.mkdir("closed"); open("closed/file", "w"); os.chmod("closed", 0)
`).Run(ctx)
	is.NoErr(err)
	is.True(r.OK())
	errs := make(map[string]bool)
	for m, err := range sb.Walk(ctx, "", nil) {
		if err != nil {
			top, _, _ := strings.Cut(m.Path, "/")
			errs[top] = true
		}
	}
	is.Equal(errs, map[string]bool{"listed": true, "deep": true})
	u, err := sb.Usage(ctx, "")
	is.NoErr(err)
	is.Equal(u.Errors, int64(2))
	is.NoErr(sb.Rollback(ctx, name))
	entries, err := sb.ReadDir(ctx, "")
	is.NoErr(err)
	is.Equal(len(entries), 0)
}
