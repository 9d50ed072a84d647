//go:build linux

package guest

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// unpack sends an archive.
func (s *session) unpack(path string, archived []byte) error {
	call, err := s.ch.Start(&channel.Request{Op: wire.OpUnpack, Args: &wire.Unpack{Path: []byte(path)}})
	if err != nil {
		return err
	}
	if _, err := call.Stream.Write(archived); err == nil {
		_ = call.Stream.CloseWrite()
	}
	return call.Result(context.Background(), nil)
}

// tarOf is an archive of a file system.
func tarOf(is *is.I, fsys fs.FS) []byte {
	is.Helper()
	var b bytes.Buffer
	p := archive.NewPacker(&b, &archive.Options{})
	is.NoErr(p.FS(fsys))
	is.NoErr(p.Close())
	return b.Bytes()
}

// modesOf lists a tree with its modes.
func modesOf(is *is.I, dir string) (all []string) {
	is.Helper()
	is.NoErr(filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		all = append(all, info.Mode().String()+" "+strings.TrimPrefix(path, dir))
		return err
	}))
	return all
}

func TestPackAndUnpack(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	// Directories that are closed even to their own user are filled before they are closed.
	s.output(is, `mkdir -p tree/closed/sub tree/open; echo x > tree/closed/sub/f; echo x > tree/open/f; ln -s closed tree/l
		chmod 444 tree/open/f; chmod 777 tree/open; chmod 500 tree/closed/sub tree/closed`)
	var p wire.Packed
	archived, err := s.collect(wire.OpPack, &wire.Pack{Path: []byte("tree")}, &p)
	is.NoErr(err)
	is.Equal(p, wire.Packed{})
	is.NoErr(s.unpack("a/b/tree", archived))
	is.Equal(modesOf(is, s.path("a/b/tree")), modesOf(is, s.path("tree")))

	t.Run("some is left out", func(t *testing.T) {
		is := is.New(t)
		s.output(is, "mkdir -m 0 tree/open/closed; mkfifo tree/open/p; mkdir tree/no; touch tree/no/f; echo x > tree/secret; chmod 0 tree/secret")
		for _, test := range []struct {
			name string
			code wire.Code
		}{{"tree", ""}, {"tree/secret", wire.CodePermission}, {"tree/open/closed", wire.CodePermission}, {"tree/open/p", wire.CodeNotRegular}, {"none", wire.CodeNotExist}} {
			_, err := s.collect(wire.OpPack, &wire.Pack{Path: []byte(test.name)}, nil)
			var e *wire.Error
			is.True(errors.As(err, &e))
			is.True(test.code == "" && len(e.Name) > 0 || e.Code == test.code && e.Name == nil)
		}
		var p wire.Packed
		archived, err := s.collect(wire.OpPack, &wire.Pack{Path: []byte("tree"), Skip: true, Exclude: [][]byte{[]byte("no")}}, &p)
		is.NoErr(err)
		var names []string
		for _, e := range p.Skipped {
			names = append(names, string(e.Name)+" "+string(e.Code))
		}
		slices.Sort(names)
		is.Equal(names, []string{"open/closed permission", "open/p unsafe", "secret permission"})
		is.Equal(p.SkippedCount, 3)
		err = s.unpack("some", archived)
		is.NoErr(err)
		is.Equal(s.output(is, "ls some some/open"), "some:\nclosed\nl\nopen\n\nsome/open:\nclosed\nf\n")
	})
	t.Run("many are left out", func(t *testing.T) {
		is := is.New(t)
		s.output(is, "mkdir many; for i in $(seq 300); do mkfifo many/$i; done")
		var p wire.Packed
		_, err := s.collect(wire.OpPack, &wire.Pack{Path: []byte("many"), Skip: true}, &p)
		is.NoErr(err)
		is.Equal(p.SkippedCount, 300)
		is.Equal(len(p.Skipped), 100)
	})
	t.Run("a parent by way of a symlink", func(t *testing.T) {
		is := is.New(t)
		s.output(is, "mkdir -p real/sub; ln -s real/sub link")
		err := s.unpack("link/../x/y", tarOf(is, fstest.MapFS{"f": {}}))
		is.NoErr(err)
		is.Equal(s.output(is, "find real | sort"), "real\nreal/sub\nreal/x\nreal/x/y\nreal/x/y/f\n") // as the kernel has it
	})
	t.Run("an archive that is none", func(t *testing.T) {
		is := is.New(t)
		for _, b := range [][]byte{nil, make([]byte, 1024), bytes.Repeat([]byte("noise"), 1000), archived[:1000]} {
			err := s.unpack("none", b)
			is.Equal(codeOf(err), wire.CodeInvalid)
		}
		is.Equal(s.output(is, "ls -A | grep -c -e none -e drydock || true"), "0\n") // nothing is left
	})
}

func TestUnpackEnds(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{root: true, mounts: true})
	large := tarOf(is, fstest.MapFS{"a": {}, "large": {Data: make([]byte, 200<<10)}})
	t.Run("no space", func(t *testing.T) {
		is := is.New(t)
		err := s.unpack("small/new", large)
		is.Equal(codeOf(err), wire.CodeNoSpace)
		is.Equal(string(err.(*wire.Error).Name), "large")
		is.Equal(s.output(is, "ls -A small"), "file\n") // nothing is left
	})
	t.Run("canceled", func(t *testing.T) {
		is := is.New(t)
		call, err := s.ch.Start(&channel.Request{Op: wire.OpUnpack, Args: &wire.Unpack{Path: []byte("canceled")}})
		is.NoErr(err)
		_, err = call.Stream.Write(large[:100<<10])
		is.NoErr(err)
		eventually(is, func() bool { return s.output(is, "ls -A | grep -c drydock || true") == "1\n" })
		call.Cancel(true)
		is.Equal(codeOf(call.Result(context.Background(), nil)), wire.CodeAborted)
		is.Equal(s.output(is, "ls -A | grep -c -e drydock -e canceled || true"), "0\n") // nothing is left
	})
	t.Run("pack canceled", func(t *testing.T) {
		is := is.New(t)
		s.output(is, "truncate -s 1T hole") // it would take an hour
		call, err := s.ch.Start(&channel.Request{Op: wire.OpPack, Args: &wire.Pack{Path: []byte("hole")}})
		is.NoErr(err)
		_, err = io.CopyN(io.Discard, call.Stream, 10<<20)
		is.NoErr(err)
		call.Cancel(true)
		select {
		case <-call.Done():
			is.Equal(codeOf(call.Result(context.Background(), nil)), wire.CodeAborted)
		case <-time.After(5 * time.Second):
			is.Fail()
		}
		is.NoErr(os.Remove(s.path("hole")))
	})
}
