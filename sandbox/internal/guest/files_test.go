//go:build linux

package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// oddNames are names that a shell, JSON or a parser of options would spoil.
var oddNames = []string{"with space", `quote'"`, "new\nline", "-rf", "--", "\xff\xfe no UTF-8", "ü", "*", "$(id)", "a\\b", strings.Repeat("n", 255)}

// pattern is n bytes that differ from frame to frame.
func pattern(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>16) ^ byte(i>>8) ^ byte(i)
	}
	return b
}

// put makes a file of the session's user beside the guest.
func (s *session) put(is *is.I, name string, data []byte, mode fs.FileMode) {
	is.Helper()
	is.NoErr(os.WriteFile(s.path(name), data, 0o600))
	is.NoErr(os.Chown(s.path(name), s.uid, s.uid))
	is.NoErr(os.Chmod(s.path(name), mode))
}

// get reads a file without the guest.
func (s *session) get(is *is.I, name string) string {
	is.Helper()
	b, err := os.ReadFile(s.path(name))
	is.NoErr(err)
	return string(b)
}

// An error names the path of the call, which may be longer in a reply than it was in the call.
func TestLongPathInError(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	long := bytes.Repeat([]byte{1}, 1<<20)
	_, err := s.read(wire.Read{Path: long, Limit: -1, Max: 1})
	is.Equal(codeOf(err), wire.CodeNameTooLong)
	is.True(len(err.Error()) <= maxErrorText)
	is.NoErr(s.do(wire.OpStat, &wire.Path{Path: []byte(".")}, nil)) // the channel is still there
}

func TestRead(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})

	t.Run("sizes", func(t *testing.T) {
		for _, n := range []int{0, 1, wire.MaxData - 1, wire.MaxData, wire.MaxData + 1, 2 * wire.MaxData, 2*wire.MaxData + 1, 3 * wire.Window} {
			is := is.New(t)
			s.put(is, "f", pattern(n), 0o644)
			got, err := s.read(wire.Read{Path: []byte("f"), Limit: -1, Max: int64(n)})
			is.NoErr(err)
			is.True(bytes.Equal(got, pattern(n)))
		}
	})
	t.Run("too large", func(t *testing.T) {
		for _, limit := range []int{0, 1, wire.MaxData - 1, wire.MaxData, 2 * wire.MaxData} {
			is := is.New(t)
			s.put(is, "f", pattern(limit+1), 0o644)
			_, err := s.read(wire.Read{Path: []byte("f"), Limit: -1, Max: int64(limit)})
			is.Equal(codeOf(err), wire.CodeTooLarge)
			is.True(strings.Contains(err.Error(), fmt.Sprint(limit))) // says what the limit is
		}
	})
	t.Run("parts", func(t *testing.T) {
		is := is.New(t)
		data := pattern(3 * wire.MaxData)
		s.put(is, "f", data, 0o644)
		for _, c := range []struct{ offset, limit, max, from, to int }{
			{0, 0, 0, 0, 0},
			{0, 1, 0, 0, 1},
			{5, 10, 0, 5, 15},
			{1, wire.MaxData, 0, 1, wire.MaxData + 1},
			{1, wire.MaxData + 1, 0, 1, wire.MaxData + 2},
			{len(data) - 1, 100, 0, len(data) - 1, len(data)},
			{len(data), 100, 0, 0, 0},
			{len(data) + 100, 100, 0, 0, 0},
			{100, -1, len(data) - 100, 100, len(data)}, // the limit is of what is read
			{len(data) + 100, -1, 10, 0, 0},
			{0, 1 << 40, 0, 0, len(data)},
		} {
			got, err := s.read(wire.Read{Path: []byte("f"), Offset: int64(c.offset), Limit: int64(c.limit), Max: int64(c.max)})
			is.NoErr(err)
			is.True(bytes.Equal(got, data[c.from:c.to]))
		}
		_, err := s.read(wire.Read{Path: []byte("f"), Offset: 100, Limit: -1, Max: int64(len(data) - 101)})
		is.Equal(codeOf(err), wire.CodeTooLarge)
	})
	t.Run("a file that says it is empty", func(t *testing.T) {
		is := is.New(t)
		got, err := s.read(wire.Read{Path: []byte("/proc/self/status"), Limit: -1, Max: 1 << 20})
		is.NoErr(err)
		is.True(bytes.Contains(got, []byte("\nUid:\t")))
		_, err = s.read(wire.Read{Path: []byte("/proc/self/status"), Limit: -1, Max: 10})
		is.Equal(codeOf(err), wire.CodeTooLarge)
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(syscall.Mkfifo(s.path("fifo"), 0o666))
		is.NoErr(os.Chmod(s.path("fifo"), 0o666))
		is.NoErr(os.Mkdir(s.path("dir"), 0o755))
		is.NoErr(os.Symlink("loop", s.path("loop")))
		is.NoErr(os.Symlink("nowhere", s.path("dangling")))
		is.NoErr(os.Symlink("fifo", s.path("to fifo")))
		l, err := net.Listen("unix", s.path("socket"))
		is.NoErr(err)
		defer l.Close()
		is.NoErr(os.Chmod(s.path("socket"), 0o777))
		s.put(is, "secret", nil, 0)
		for name, want := range map[string]wire.Code{
			"":                       wire.CodeIsDir,
			"dir":                    wire.CodeIsDir,
			"fifo":                   wire.CodeNotRegular,
			"to fifo":                wire.CodeNotRegular,
			"socket":                 wire.CodeNotRegular,
			"/dev/null":              wire.CodeNotRegular,
			"/dev/zero":              wire.CodeNotRegular,
			"missing":                wire.CodeNotExist,
			"dangling":               wire.CodeNotExist,
			"missing/x":              wire.CodeNotExist,
			"f/x":                    wire.CodeNotDir,
			"loop":                   wire.CodeLoop,
			"a\x00b":                 wire.CodeInvalid,
			strings.Repeat("n", 256): wire.CodeNameTooLong,
			"secret":                 wire.CodePermission,
		} {
			if name == "secret" && s.uid == 0 {
				continue
			}
			_, err := s.readAll(name)
			is.Equal(codeOf(err), want)
		}
	})
	t.Run("a reader that leaves", func(t *testing.T) {
		is := is.New(t)
		s.put(is, "f", pattern(4*wire.Window), 0o644)
		call, err := s.ch.Start(&channel.Request{Op: wire.OpRead, Args: &wire.Read{Path: []byte("f"), Limit: 1 << 30}})
		is.NoErr(err)
		call.Stream.CloseRead()
		is.True(call.Result(context.Background(), nil) != nil) // the read ends
		call, err = s.ch.Start(&channel.Request{Op: wire.OpRead, Args: &wire.Read{Path: []byte("f"), Limit: 1 << 30}})
		is.NoErr(err)
		call.Cancel(true)
		is.Equal(codeOf(call.Result(context.Background(), nil)), wire.CodeAborted)
	})
}

func TestWrite(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	inode := func(name string) uint64 {
		info, err := os.Stat(s.path(name))
		is.NoErr(err)
		return info.Sys().(*syscall.Stat_t).Ino
	}
	mode := func(name string) fs.FileMode {
		info, err := os.Stat(s.path(name))
		is.NoErr(err)
		return info.Mode()
	}
	write := func(name, data string) (wire.Written, error) {
		return s.write(wire.Write{Path: []byte(name), Mode: 0o644}, []byte(data))
	}
	clean := func() {
		infos, err := os.ReadDir(s.dir)
		is.NoErr(err)
		is.True(!slices.ContainsFunc(infos, func(e fs.DirEntry) bool { return strings.HasPrefix(e.Name(), ".drydock") })) // no temporary file is left
	}

	t.Run("sizes", func(t *testing.T) {
		for _, n := range []int{0, 1, wire.MaxData - 1, wire.MaxData, wire.MaxData + 1, 3 * wire.Window} {
			is := is.New(t)
			name := fmt.Sprint("size", n)
			w, err := write(name, string(pattern(n)))
			is.NoErr(err)
			is.Equal(w, wire.Written{Created: true})
			is.True(s.get(is, name) == string(pattern(n)))
		}
		clean()
	})
	t.Run("modes of new files", func(t *testing.T) {
		is := is.New(t)
		old := s.output(is, "umask")
		is.Equal(strings.TrimLeft(old, "0"), "22\n")
		for _, m := range []fs.FileMode{0o600, 0o644, 0o755, 0o400, 0} {
			name := fmt.Sprintf("mode%o", m)
			_, err := s.write(wire.Write{Path: []byte(name), Mode: uint32(m)}, []byte("x"))
			is.NoErr(err)
			is.Equal(mode(name), m)
		}
	})
	t.Run("new directories", func(t *testing.T) {
		is := is.New(t)
		w, err := write("new/parents/of a/file", "x")
		is.NoErr(err)
		is.Equal(w, wire.Written{Created: true})
		is.Equal(s.get(is, "new/parents/of a/file"), "x")
		is.Equal(mode("new/parents").Perm(), fs.FileMode(0o755))
	})
	t.Run("replaced at once", func(t *testing.T) {
		for _, m := range []fs.FileMode{0o600, 0o644, 0o755, 0o400, 0o755 | fs.ModeSetuid} {
			is := is.New(t)
			s.put(is, "old", []byte("old and longer"), m)
			before := inode("old")
			w, err := s.write(wire.Write{Path: []byte("old"), Mode: 0o777}, []byte("new"))
			is.NoErr(err)
			is.Equal(w, wire.Written{})
			is.Equal(s.get(is, "old"), "new")
			is.Equal(mode("old"), m)        // its own mode
			is.True(inode("old") != before) // by rename
			is.NoErr(os.Remove(s.path("old")))
		}
		clean()
	})
	t.Run("no reader sees half", func(t *testing.T) {
		is := is.New(t)
		const size = 100 << 10
		s.put(is, "whole", bytes.Repeat([]byte("0"), size), 0o644)
		stop, torn := make(chan struct{}), 0
		var reader sync.WaitGroup
		reader.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				b, err := os.ReadFile(s.path("whole"))
				if err != nil || len(b) != size || bytes.Count(b, b[:1]) != size {
					torn++
				}
			}
		})
		var failed error
		for i := range 50 {
			_, err := write("whole", strings.Repeat(fmt.Sprint(i%10), size))
			failed = errors.Join(failed, err)
		}
		close(stop)
		reader.Wait()
		is.NoErr(failed)
		is.Equal(torn, 0)
	})
	t.Run("links", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.Mkdir(s.path("far"), 0o755))
		is.NoErr(os.Chown(s.path("far"), s.uid, s.uid))
		s.put(is, "far/target", []byte("old"), 0o640)
		is.NoErr(os.Symlink("far/target", s.path("link1")))
		is.NoErr(os.Symlink("link1", s.path("link2")))
		w, err := write("link2", "new")
		is.NoErr(err)
		is.Equal(w, wire.Written{})
		is.Equal(s.get(is, "far/target"), "new") // through both
		is.Equal(mode("far/target"), fs.FileMode(0o640))
		for _, name := range []string{"link1", "link2"} {
			info, err := os.Lstat(s.path(name))
			is.NoErr(err)
			is.True(info.Mode()&fs.ModeSymlink != 0) // which are links still
		}
		is.NoErr(os.Symlink("far/made", s.path("dangling")))
		w, err = write("dangling", "x")
		is.NoErr(err)
		is.Equal(w, wire.Written{Created: true, InPlace: true})
		is.Equal(s.get(is, "far/made"), "x")
		is.NoErr(os.Symlink("no/where", s.path("lost")))
		_, err = write("lost", "x")
		is.Equal(codeOf(err), wire.CodeNotExist)
		is.NoErr(os.Symlink("loop", s.path("loop")))
		_, err = write("loop", "x")
		is.True(err != nil)
	})
	t.Run("a parent through a link", func(t *testing.T) {
		is := is.New(t)
		s.output(is, "mkdir -p shut open/sub && ln -s ../open/sub shut/link && chmod 0555 shut")
		_, err := write("shut/link/../file", "x")
		is.NoErr(err) // the directory is the one the kernel finds
		is.Equal(s.get(is, "open/file"), "x")
		s.output(is, "chmod 0755 shut")
	})
	t.Run("a target that comes and goes", func(t *testing.T) {
		is := is.New(t)
		s.put(is, "kept", []byte("old"), 0o644)
		is.NoErr(os.Symlink("flicker", s.path("to flicker")))
		stop := make(chan struct{})
		var flicker sync.WaitGroup
		flicker.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
					_ = os.Link(s.path("kept"), s.path("flicker"))
					_ = os.Remove(s.path("flicker"))
				}
			}
		})
		defer flicker.Wait()
		defer close(stop)
		for range 500 {
			call, err := s.ch.Start(&channel.Request{Op: wire.OpWrite, Body: []byte("x"),
				Args: &wire.Write{Path: []byte("to flicker"), Mode: 0o644}})
			is.NoErr(err)
			var answer json.RawMessage
			is.NoErr(call.Result(context.Background(), &answer))
			is.True(string(answer) != "null") // it was written
		}
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.Mkdir(s.path("dir"), 0o755))
		is.NoErr(syscall.Mkfifo(s.path("fifo"), 0o666))
		is.NoErr(os.Symlink("fifo", s.path("to fifo")))
		s.put(is, "file", []byte("kept"), 0o644)
		for name, want := range map[string]wire.Code{
			"":                       wire.CodeIsDir,
			"dir":                    wire.CodeIsDir,
			"fifo":                   wire.CodeNotRegular,
			"to fifo":                wire.CodeNotRegular,
			"/dev/null":              wire.CodeNotRegular,
			"file/x":                 wire.CodeNotDir,
			"file/x/y":               wire.CodeNotDir,
			"a\x00b":                 wire.CodeInvalid,
			strings.Repeat("n", 256): wire.CodeNameTooLong,
		} {
			for _, data := range []string{"x", string(pattern(2 * wire.Window))} {
				_, err := write(name, data) // though the host still sends
				is.Equal(codeOf(err), want)
			}
		}
		is.Equal(s.get(is, "file"), "kept")
	})
	t.Run("a directory that is not writable", func(t *testing.T) {
		if s.uid == 0 {
			t.Skip("root may")
		}
		is := is.New(t)
		is.NoErr(os.Mkdir(s.path("readonly"), 0o755))
		is.NoErr(os.Chown(s.path("readonly"), s.uid, s.uid))
		s.put(is, "readonly/file", []byte("old and longer"), 0o600)
		is.NoErr(os.Chmod(s.path("readonly"), 0o555))
		before := inode("readonly/file")
		w, err := write("readonly/file", "new")
		is.NoErr(err)
		is.Equal(w, wire.Written{InPlace: true})
		is.Equal(s.get(is, "readonly/file"), "new")
		is.Equal(inode("readonly/file"), before)
		is.Equal(mode("readonly/file"), fs.FileMode(0o600))
		_, err = write("readonly/new", "x")
		is.Equal(codeOf(err), wire.CodePermission)
		_, err = write("readonly/sub/new", "x")
		is.Equal(codeOf(err), wire.CodePermission)
	})
	t.Run("a file of somebody else", func(t *testing.T) {
		if os.Getuid() != 0 {
			t.Skip("takes root to make one")
		}
		is := is.New(t)
		is.NoErr(os.WriteFile(s.path("theirs"), []byte("old and longer"), 0o600))
		is.NoErr(os.Chmod(s.path("theirs"), 0o666))
		before := inode("theirs")
		w, err := write("theirs", "new")
		is.NoErr(err)
		is.Equal(w, wire.Written{InPlace: true})
		is.Equal(s.get(is, "theirs"), "new")
		is.Equal(inode("theirs"), before) // and so still theirs
		is.NoErr(os.Chmod(s.path("theirs"), 0o644))
		_, err = write("theirs", "newer")
		is.Equal(codeOf(err), wire.CodePermission)
		is.Equal(s.get(is, "theirs"), "new")
	})
	t.Run("odd names", func(t *testing.T) {
		is := is.New(t)
		for _, name := range oddNames {
			_, err := write("odd/"+name, name)
			is.NoErr(err)
			got, err := s.readAll("odd/" + name)
			is.NoErr(err)
			is.Equal(string(got), name)
			is.Equal(s.get(is, "odd/"+name), name)
		}
		infos, err := s.list("odd")
		is.NoErr(err)
		var got []string
		for _, i := range infos {
			got = append(got, string(i.Name))
		}
		is.Equal(got, slices.Sorted(slices.Values(oddNames)))
	})
	t.Run("at once", func(t *testing.T) {
		is := is.New(t)
		var wg sync.WaitGroup
		for i := range 64 {
			wg.Go(func() {
				name, data := fmt.Sprint("at once/", i), pattern(i*3001)
				_, err := write(name, string(data))
				is.NoErr(err)
				got, err := s.readAll(name)
				is.NoErr(err)
				is.True(bytes.Equal(got, data))
			})
		}
		wg.Wait()
	})
	clean()
}

func TestSmallMounts(t *testing.T) {
	is := is.New(t)
	if os.Getuid() != 0 {
		t.Skip("takes root to mount")
	}
	s := serve(t, is, sessionOptions{root: true, mounts: true})
	_, err := s.write(wire.Write{Path: []byte("small/large"), Mode: 0o644}, pattern(200<<10))
	is.Equal(codeOf(err), wire.CodeNoSpace)
	infos, err := s.list("small")
	is.NoErr(err)
	is.Equal(len(infos), 1) // nothing is left of it
	_, err = s.write(wire.Write{Path: []byte("small/file"), Mode: 0o644}, pattern(200<<10))
	is.Equal(codeOf(err), wire.CodeNoSpace)
	got, err := s.readAll("small/file")
	is.NoErr(err)
	is.Equal(string(got), "old") // the file is as it was

	w, err := s.write(wire.Write{Path: []byte("mounted"), Mode: 0o644}, []byte("new"))
	is.NoErr(err)
	is.Equal(w, wire.Written{InPlace: true}) // a mount point cannot be replaced
	got, err = s.readAll("small/file")
	is.NoErr(err)
	is.Equal(string(got), "new")
	is.Equal(codeOf(s.do(wire.OpRemove, &wire.Remove{Path: []byte("mounted")}, nil)), wire.CodeBusy)
	is.Equal(codeOf(s.do(wire.OpRename, &wire.Rename{From: []byte("small/file"), To: []byte("else")}, nil)), wire.CodeCrossDevice)
	entries, err := os.ReadDir(s.dir)
	is.NoErr(err)
	is.Equal(len(entries), 2) // no temporary file is left
}

func TestReadDir(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	t.Run("5000 entries", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.Mkdir(s.path("many"), 0o755))
		var want []string
		for i := range 5000 {
			name := fmt.Sprintf("entry %d", i)
			want = append(want, name)
			f, err := os.Create(filepath.Join(s.path("many"), name))
			is.NoErr(err)
			f.Close()
		}
		slices.Sort(want)
		infos, err := s.list("many")
		is.NoErr(err)
		var got []string
		for _, info := range infos {
			got = append(got, string(info.Name))
		}
		is.True(slices.Equal(got, want)) // sorted, each once
	})
	t.Run("what an entry says", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(os.Mkdir(s.path("dir"), 0o755))
		s.put(is, "dir/file", []byte("12345"), 0o640)
		is.NoErr(os.Mkdir(s.path("dir/sub"), 0o755))
		is.NoErr(os.Symlink("\xff/target", s.path("dir/link")))
		is.NoErr(syscall.Mkfifo(s.path("dir/fifo"), 0o600))
		infos, err := s.list(s.path("dir"))
		is.NoErr(err)
		is.Equal(len(infos), 4)
		for i, name := range []string{"fifo", "file", "link", "sub"} {
			got := infos[i]
			want, err := os.Lstat(s.path("dir/" + name))
			is.NoErr(err)
			is.Equal(string(got.Name), name)
			is.Equal(fs.FileMode(got.Mode), want.Mode())
			is.Equal(got.Size, want.Size())
			is.Equal(got.ModTime, want.ModTime().UnixNano())
			is.Equal(got.UID, want.Sys().(*syscall.Stat_t).Uid)
			is.Equal(string(got.Link), map[string]string{"link": "\xff/target"}[name])
			var stat wire.FileInfo
			is.NoErr(s.do(wire.OpStat, &wire.Path{Path: []byte("dir/" + name)}, &stat))
			is.Equal(stat, got) // stat says the same
		}
	})
	t.Run("empty", func(t *testing.T) {
		is := is.New(t)
		infos, err := s.list("dir/sub")
		is.NoErr(err)
		is.Equal(len(infos), 0)
	})
	t.Run("refused", func(t *testing.T) {
		is := is.New(t)
		for name, want := range map[string]wire.Code{"missing": wire.CodeNotExist, "dir/file": wire.CodeNotDir} {
			_, err := s.list(name)
			is.Equal(codeOf(err), want)
		}
	})
}

func TestStat(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	s.put(is, "file", []byte("12345"), 0o640)
	is.NoErr(os.Symlink("file", s.path("link")))
	is.NoErr(os.Symlink("nowhere", s.path("dangling")))
	var info wire.FileInfo
	is.NoErr(s.do(wire.OpStat, &wire.Path{Path: []byte("link"), Follow: true}, &info))
	is.Equal(info.Size, int64(5))
	is.True(fs.FileMode(info.Mode).IsRegular()) // what the link leads to
	is.Equal(codeOf(s.do(wire.OpStat, &wire.Path{Path: []byte("dangling"), Follow: true}, nil)), wire.CodeNotExist)
	is.NoErr(s.do(wire.OpStat, &wire.Path{Path: []byte("dangling")}, &info))
	is.Equal(string(info.Link), "nowhere") // the link itself
	is.Equal(codeOf(s.do(wire.OpStat, &wire.Path{Path: []byte("file/x")}, nil)), wire.CodeNotDir)
}

func TestMkdirRemoveRename(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	mkdir := func(name string) error {
		return s.do(wire.OpMkdir, &wire.Mkdir{Path: []byte(name), Mode: 0o750}, nil)
	}
	remove := func(name string, all bool) error {
		return s.do(wire.OpRemove, &wire.Remove{Path: []byte(name), All: all}, nil)
	}
	rename := func(from, to string) error {
		return s.do(wire.OpRename, &wire.Rename{From: []byte(from), To: []byte(to)}, nil)
	}
	exists := func(name string) bool {
		_, err := os.Lstat(s.path(name))
		return err == nil
	}
	for _, name := range oddNames {
		is.NoErr(mkdir(name + "/" + name))
		is.True(exists(name + "/" + name))
		is.Equal(codeOf(remove(name, false)), wire.CodeNotEmpty)
		is.NoErr(rename(name+"/"+name, "moved"))
		is.NoErr(remove(name, false))
		is.True(!exists(name))
		is.NoErr(remove("moved", true))
	}
	is.NoErr(mkdir("a/b/c"))
	info, err := os.Stat(s.path("a/b"))
	is.NoErr(err)
	is.Equal(info.Mode().Perm(), fs.FileMode(0o750))
	is.NoErr(mkdir("a/b/c")) // it is there already
	s.put(is, "file", []byte("x"), 0o644)
	is.Equal(codeOf(mkdir("file")), wire.CodeNotDir)
	is.Equal(codeOf(mkdir("file/x")), wire.CodeNotDir)
	is.Equal(codeOf(remove("missing", false)), wire.CodeNotExist)
	is.NoErr(remove("missing", true))
	is.Equal(codeOf(remove("file/x", false)), wire.CodeNotDir)
	is.Equal(codeOf(rename("missing", "x")), wire.CodeNotExist)
	is.Equal(codeOf(rename("file", "a")), wire.CodeExist)
	is.Equal(codeOf(rename("a", "file")), wire.CodeNotDir)
	is.Equal(codeOf(rename("a", "a/b/inside")), wire.CodeInvalid)
	is.NoErr(rename("file", "a/file"))
	s.put(is, "other", []byte("y"), 0o644)
	is.NoErr(rename("other", "a/file"))
	is.Equal(s.get(is, "a/file"), "y") // replaces a file
	is.NoErr(os.Symlink("a", s.path("link")))
	is.NoErr(remove("link", true))
	is.True(exists("a/b/c")) // a link goes alone
	is.NoErr(remove("a", true))
	is.True(!exists("a"))
	if s.uid != 0 {
		is.Equal(codeOf(mkdir("/drydock-test")), wire.CodePermission)
		is.Equal(codeOf(remove("/etc/passwd", false)), wire.CodePermission)
		is.Equal(codeOf(rename("/etc/passwd", s.path("mine"))), wire.CodePermission)
	}
	is.Equal(codeOf(mkdir("/proc/x")), wire.CodeNotExist)
}
