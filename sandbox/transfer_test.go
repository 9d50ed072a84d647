package sandbox_test

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// oddTree makes a tree of names, modes, sizes and links that a careless copy would spoil.
func oddTree(t *testing.T, is *is.I) string {
	t.Helper()
	is.Helper()
	dir := t.TempDir()
	put := func(name, data string, mode fs.FileMode) {
		path := filepath.Join(dir, name)
		is.NoErr(os.MkdirAll(filepath.Dir(path), 0o755))
		is.NoErr(os.WriteFile(path, []byte(data), 0o600))
		is.NoErr(os.Chmod(path, mode))
	}
	for c := 1; c < 256; c++ {
		if c != '/' {
			put("bytes/x"+string([]byte{byte(c)}), fmt.Sprint(c), 0o644)
		}
	}
	for _, name := range []string{"new\nline", "-rf", "\xff\xfe no UTF-8", "$(id)", strings.Repeat("n", 255)} {
		put("names/"+name, name, 0o640)
	}
	for _, size := range []int{0, 1, 512, 65535, 65536, 65537, 3 << 20} {
		put(fmt.Sprint("sizes/", size), strings.Repeat("\x00\xff data", size)[:size], 0o600)
	}
	for _, mode := range []fs.FileMode{0o400, 0o755, 0o500, 0o777} {
		put(fmt.Sprintf("modes/%o", mode), "x", mode)
	}
	put(strings.Repeat("deep/", 80)+"file", "deep", 0o644)
	is.NoErr(os.MkdirAll(filepath.Join(dir, "empty/empty"), 0o700))
	for name, to := range map[string]string{"link": "names", "names/up": "../sizes/0", "dangling": "nowhere", "loop": "loop", "self": "."} {
		is.NoErr(os.Symlink(to, filepath.Join(dir, name)))
	}
	is.NoErr(os.Link(filepath.Join(dir, "sizes/1"), filepath.Join(dir, "hard")))
	is.NoErr(os.Chtimes(filepath.Join(dir, "sizes/1"), time.Time{}, time.Unix(1e9, 123456789)))
	is.NoErr(os.Chtimes(filepath.Join(dir, "empty"), time.Time{}, time.Unix(1e9, 1)))
	return dir
}

// described lists a tree of the host: modes, times, contents and targets.
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

// A tree of all kinds of files is the same after an upload and a download.
func TestTransfer(t *testing.T) {
	for _, image := range []string{enginetest.Busybox, enginetest.Static} {
		t.Run(image, func(t *testing.T) {
			is := is.New(t)
			sb := enginetest.Open(t, sandbox.Options{Image: image})
			ctx := context.Background()
			src := oddTree(t, is)
			want := described(is, src)

			up, err := sb.Upload(ctx, src, "a/tree", nil)
			is.NoErr(err)
			is.Equal(up.Entries, int64(len(want)))
			info, err := sb.Stat(ctx, "a/tree/sizes/1")
			is.NoErr(err)
			is.Equal(info.ModTime(), time.Unix(1e9, 123456789))
			info, err = sb.Stat(ctx, "a/tree/modes/777")
			is.NoErr(err)
			is.Equal(info.Mode(), fs.FileMode(0o777)) // on the host it is less the umask
			uid, gid := sb.User()
			owner, group := info.Owner()
			is.Equal([]int{owner, group}, []int{uid, gid}) // its files are the sandbox's user's
			dst := filepath.Join(t.TempDir(), "new/dst")
			for range 2 { // once more over what is there
				down, err := sb.Download(ctx, "a/tree", dst, nil)
				is.NoErr(err)
				is.Equal(down.Bytes, up.Bytes)
				is.Equal(down.Entries, up.Entries)
				got := described(is, dst)
				is.Equal(len(got), len(want))
				for name, text := range want {
					if text[0] != 'd' && name != "modes/777" {
						is.Equal(got[name], text) // contents, mode and time
					}
				}
			}
			is.Equal(described(is, dst)["empty"], want["empty"]) // of directories, too

			// By way of archives.
			var b bytes.Buffer
			_, err = sb.DownloadTar(ctx, "a/tree", &b, nil)
			is.NoErr(err)
			_, err = sb.UploadTar(ctx, bytes.NewReader(b.Bytes()), "again", nil)
			is.NoErr(err)
			var c bytes.Buffer
			_, err = sb.DownloadTar(ctx, "again", &c, nil)
			is.NoErr(err)
			is.Equal(c.Len(), b.Len())
		})
	}
}

// The destination depends on two things only: whether the source is a file or a directory, and
// whether the destination ends with a slash.
func TestTransferPlaces(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	dir := t.TempDir()
	is.NoErr(os.MkdirAll(dir+"/src/sub", 0o755))
	is.NoErr(os.WriteFile(dir+"/src/sub/f", []byte("new"), 0o644))
	for _, test := range []struct{ src, dst, there string }{
		{"src", "one", "one/sub/f"},
		{"src/", "one", "one/sub/f"},
		{"src", "two/", "two/src/sub/f"},
		{"src", "/tmp/", "/tmp/src/sub/f"},
		{"src", "", "sub/f"},
		{"src/sub/f", "x/file", "x/file"},
		{"src/sub/f", "x/", "x/f"},
		{"src/sub/f", "./", "f"},
		{"src/sub", "x/../y/", "y/sub/f"},
	} {
		t.Run("up "+test.src+" to "+test.dst, func(t *testing.T) {
			is := is.New(t)
			_, err := sb.Upload(ctx, dir+"/"+test.src, test.dst, nil)
			is.NoErr(err)
			got, err := sb.ReadFile(ctx, test.there, nil)
			is.NoErr(err)
			is.Equal(string(got), "new")
		})
	}
	for _, test := range []struct{ src, dst, there string }{
		{"one", "one", "one/sub/f"},
		{"one", "two/", "two/one/sub/f"},
		{"", "three", "three/sub/f"},
		{".", "three/", "three/workspace/sub/f"},
		{"one/../one/sub", "four/", "four/sub/f"},
		{"/workspace/one/sub/f", "x/file", "x/file"},
		{"one/sub/f", "x/", "x/f"},
	} {
		t.Run("down "+test.src+" to "+test.dst, func(t *testing.T) {
			is := is.New(t)
			_, err := sb.Download(ctx, test.src, dir+"/down/"+test.dst, nil)
			is.NoErr(err)
			got, err := os.ReadFile(dir + "/down/" + test.there)
			is.NoErr(err)
			is.Equal(string(got), "new")
		})
	}
	t.Run("merged", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.Exec(ctx, "mkdir -p m/sub && echo kept > m/sub/kept && echo old > m/sub/f && chmod 700 m/sub")
		is.NoErr(err)
		is.True(r.OK())
		_, err = sb.Upload(ctx, dir+"/src", "m", nil)
		is.NoErr(err)
		r, err = sb.Exec(ctx, "cat m/sub/kept m/sub/f; stat -c %a m/sub")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "kept\nnew700\n") // what was there stays, with its mode
	})
	t.Run("one in place of another", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.Exec(ctx, "mkdir -p d f2/sub; echo x > f; ln -s d l; ln -s /none dangling; mkfifo p; echo x > f2/sub/f; mkdir f3 && ln -s /tmp f3/sub")
		is.NoErr(err)
		for _, test := range []struct {
			src, dst string
			code     sandbox.Code
			name     string
		}{
			{"src/sub/f", "d", "is_dir", "d"},
			{"src/sub/f", "p", "not_regular", "p"},
			{"src/sub/f", "dangling", "exist", "dangling"},
			{"src/sub/f", "f/x", "not_dir", "f/x"},
			{"src/sub/f", "/proc/x", "not_exist", "/proc/x"},
			{"src/sub/f", "/etc/x", "read_only", "/etc/x"},
			{"src/sub/f", strings.Repeat("n", 256), "name_too_long", strings.Repeat("n", 256)},
			{"src", "f", "not_dir", "f"},
			{"src", "f2/sub/f", "not_dir", "f2/sub/f"},
			{"src/sub", "f2", "", ""},
			{"src", "f3", "not_dir", "sub"}, // a symlink, which is not followed
			{"none", "d", "not_exist", dir + "/none"},
		} {
			_, err := sb.Upload(ctx, dir+"/"+test.src, test.dst, nil)
			if test.code == "" {
				is.NoErr(err)
				continue
			}
			e := failed(is, err, "upload")
			is.Equal(e.Code, test.code)
			is.Equal(e.Name, test.name)
		}
		r, err := sb.Exec(ctx, "find / -name '.drydock-*' 2>/dev/null; ls /tmp/f")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "") // nothing is left, and nothing was written through a symlink
	})
}

func failed(is *is.I, err error, op string) *sandbox.Error {
	is.Helper()
	e, ok := errors.AsType[*sandbox.Error](err)
	is.True(ok) // the typed error
	is.Equal(e.Op, op)
	return e
}

// A sandbox whose work dir has all that a download must not follow, open or take along.
func TestDownloadOfAHostileTree(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	for _, test := range []struct {
		name, setup string // setup makes d/x
		code        sandbox.Code
		text        string
	}{
		{"FIFO", "mkfifo d/x", "unsafe", "a FIFO"},
		{"socket", "nc -lU d/x >/dev/null 2>&1 & for i in 1 2 3 4 5 6 7 8 9; do [ -S d/x ] && break; sleep .1; done; [ -S d/x ]", "unsafe", "a socket"},
		{"absolute symlink", "ln -s /etc/passwd d/x", "unsafe", `a symlink to an absolute path, "/etc/passwd"`},
		{"symlink to the parent", "ln -s ../.. d/x", "unsafe", `a symlink that may lead out of the tree, to "../.."`},
		{"setuid", "touch d/x; chmod 6755 d/x", "unsafe", "a setuid or setgid file"},
		{"unreadable", "touch d/x; chmod 0 d/x", "permission", "permission denied"},
		{"unreadable directory", "mkdir -p d/x/y; chmod 0 d/x", "permission", "permission denied"},
		{"many bytes", "truncate -s 1000G d/x", "too_large", "more than 4294967296 bytes: raise MaxBytes"},
		{"deep", "mkdir d/x; cd d/x; for i in $(seq 120); do mkdir d && cd d; done", "too_large", "more than 100 names deep: raise MaxDepth"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			r, err := sb.Exec(ctx, "chmod -R 700 d 2>/dev/null; rm -rf d; mkdir d; "+test.setup)
			is.NoErr(err)
			if !r.OK() && strings.HasPrefix(test.name, "socket") {
				t.Skip("no program makes sockets here")
			}
			is.True(r.OK())
			dst := t.TempDir() + "/dst"
			_, err = sb.Download(ctx, ".", dst, nil)
			e := failed(is, err, "download")
			is.Equal(e.Code, test.code)
			is.True(strings.HasPrefix(e.Name, "d/x"))
			is.True(strings.HasPrefix(e.Err.Error(), test.text))
			_, err = os.Lstat(dst)
			is.True(errors.Is(err, fs.ErrNotExist)) // nothing is left
			result, err := sb.Download(ctx, ".", dst, &sandbox.TransferOptions{Skip: true})
			if test.code == sandbox.CodeTooLarge {
				is.True(errors.Is(err, sandbox.ErrTooLarge))
				return
			}
			is.Equal(errors.Is(e, sandbox.ErrUnsafe), test.code == sandbox.CodeUnsafe)
			is.NoErr(err)
			is.Equal(result.SkippedCount, 1)
			is.Equal(result.Skipped[0].Name, "d/x")
			is.Equal(result.Skipped[0].Code, test.code)
		})
	}
	t.Run("the source itself", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.Exec(ctx, "rm -rf d; mkfifo p; ln -s p to-p; ln -s loop loop; echo x > f; mkdir -m 0 closed; touch secret; chmod 0 secret")
		is.NoErr(err)
		for src, code := range map[string]sandbox.Code{"none": "not_exist", "p": "not_regular", "to-p": "not_regular", "loop": "loop",
			"f/x": "not_dir", "closed": "permission", "closed/x": "permission", "secret": "permission", "/dev/zero": "not_regular", strings.Repeat("n", 256): "name_too_long"} {
			_, err := sb.Download(ctx, src, t.TempDir()+"/dst", nil)
			e := failed(is, err, "download")
			is.Equal(e.Code, code)
			is.Equal(e.Name, src)
		}
	})
	t.Run("files of unknown size", func(t *testing.T) {
		is := is.New(t)
		dst := t.TempDir() + "/status"
		_, err := sb.Download(ctx, "/proc/self/status", dst, nil)
		is.NoErr(err)
		got, err := os.ReadFile(dst)
		is.NoErr(err)
		is.True(bytes.Contains(got, []byte("\nUid:\t")))
	})
	t.Run("all of /proc", func(t *testing.T) {
		is := is.New(t)
		ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
		defer cancel()
		_, err := sb.Download(ctx, "/proc/self", t.TempDir()+"/dst", &sandbox.TransferOptions{Skip: true, Exclude: []string{"task"}})
		is.True(err == nil || failed(is, err, "download").Code != "") // whatever it is, it has an end
	})
	t.Run("files in place of others on the host", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.Exec(ctx, "mkdir -p t/sub; echo new > t/sub/f; echo new > t/g")
		is.NoErr(err)
		dst := t.TempDir()
		is.NoErr(os.MkdirAll(dst+"/dst/g", 0o755))
		_, err = sb.Download(ctx, "t", dst+"/dst", nil)
		e := failed(is, err, "download")
		is.Equal(e.Code, sandbox.CodeIsDir)
		is.Equal(e.Name, "g")
		is.NoErr(os.Remove(dst + "/dst/g"))
		is.NoErr(os.WriteFile(dst+"/precious", []byte("precious"), 0o644))
		is.NoErr(os.Symlink("../precious", dst+"/dst/g"))
		_, err = sb.Download(ctx, "t", dst+"/dst", nil)
		is.NoErr(err)
		got, err := os.ReadFile(dst + "/precious")
		is.NoErr(err)
		is.Equal(string(got), "precious") // the link was replaced, and not followed
	})
}

// File systems and archives arrive whole, and an archive that is none is an error.
func TestUploadOfFileSystemsAndArchives(t *testing.T) {
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	t.Run("file system", func(t *testing.T) {
		is := is.New(t)
		r, err := sb.UploadFS(ctx, fstest.MapFS{
			"bin/run": {Data: []byte("#!/bin/sh\necho ran\n"), Mode: 0o555},
			"data":    {Data: []byte("x"), Mode: 0o444},
			"skip/me": {},
		}, "fs/", &sandbox.TransferOptions{Exclude: []string{"skip"}})
		is.NoErr(err)
		is.Equal(r.Entries, int64(4))
		out, err := sb.Exec(ctx, "fs/bin/run; echo more >> fs/data; ls fs")
		is.NoErr(err)
		is.Equal(string(out.Stdout)+string(out.Stderr), "ran\nbin\ndata\n")
	})
	t.Run("archive of somebody's", func(t *testing.T) {
		is := is.New(t)
		var b bytes.Buffer
		w := tar.NewWriter(&b)
		for _, h := range []*tar.Header{
			{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "git archive"}},
			{Typeflag: tar.TypeReg, Name: "./a/b", Mode: 0o644, Size: 1, Uid: 0, Uname: "root"},
			{Typeflag: tar.TypeReg, Name: "../../tmp/out", Mode: 0o644},
			{Typeflag: tar.TypeSymlink, Name: "c", Linkname: "/etc"},
			{Typeflag: tar.TypeLink, Name: "d", Linkname: "a/b"},
		} {
			is.NoErr(w.WriteHeader(h))
			_, err := w.Write(make([]byte, h.Size))
			is.NoErr(err)
		}
		is.NoErr(w.Close())
		_, err := sb.UploadTar(ctx, bytes.NewReader(b.Bytes()), "tar", nil)
		e := failed(is, err, "upload")
		is.Equal(e.Name, "../../tmp/out")
		is.True(errors.Is(err, sandbox.ErrUnsafe))
		_, err = sb.Stat(ctx, "tar")
		is.True(errors.Is(err, fs.ErrNotExist)) // nothing is left
		r, err := sb.UploadTar(ctx, bytes.NewReader(b.Bytes()), "tar", &sandbox.TransferOptions{Skip: true})
		is.NoErr(err)
		is.Equal(r.SkippedCount, 3)
		out, err := sb.Exec(ctx, "find tar | sort")
		is.NoErr(err)
		is.Equal(string(out.Stdout), "tar\ntar/a\ntar/a/b\n")
	})
	t.Run("archive that is none", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.UploadTar(ctx, strings.NewReader(strings.Repeat("no archive", 100)), "none", nil)
		is.Equal(failed(is, err, "upload").Code, sandbox.CodeInvalid)
		is.True(sb.Alive())
	})
	t.Run("archive of one file", func(t *testing.T) {
		is := is.New(t)
		_, err := sb.WriteFile(ctx, "one", []byte("x"), nil)
		is.NoErr(err)
		var b bytes.Buffer
		_, err = sb.DownloadTar(ctx, "one", &b, nil)
		is.NoErr(err)
		h, err := tar.NewReader(&b).Next()
		is.NoErr(err)
		is.Equal(h.Name, "one")
	})
}

func TestTransferLimits(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	tree := fstest.MapFS{"a/b/c": {Data: make([]byte, 1000)}, "d": {Data: make([]byte, 1000)}}
	_, err := sb.UploadFS(ctx, tree, "tree", nil)
	is.NoErr(err)
	for name, o := range map[string]*sandbox.TransferOptions{
		"bytes":   {MaxBytes: 1999},
		"entries": {MaxEntries: 4},
		"depth":   {MaxDepth: 2},
		"path":    {MaxPath: 4},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			_, err := sb.UploadFS(ctx, tree, "x", o)
			is.True(errors.Is(err, sandbox.ErrTooLarge))
			_, err = sb.Download(ctx, "tree", t.TempDir()+"/dst", o)
			is.True(errors.Is(err, sandbox.ErrTooLarge))
			_, err = sb.DownloadTar(ctx, "tree", io.Discard, o)
			is.True(errors.Is(err, sandbox.ErrTooLarge))
		})
	}
	_, err = sb.Download(ctx, "tree", t.TempDir()+"/dst", &sandbox.TransferOptions{MaxBytes: 2000, MaxEntries: 5, MaxDepth: 3, MaxPath: 5})
	is.NoErr(err) // each may be reached
}

func TestDiskFull(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Tmpfs: map[string]int64{"/small": 64 << 10}})
	ctx := context.Background()
	tree := fstest.MapFS{"a": {Data: []byte("x")}, "large/file": {Data: make([]byte, 2<<20)}}
	_, err := sb.UploadFS(ctx, tree, "/small/new", nil)
	e := failed(is, err, "upload")
	is.Equal(e.Code, sandbox.CodeNoSpace)
	is.Equal(e.Name, "large/file")
	_, err = sb.UploadFS(ctx, tree, "/small", nil)
	is.Equal(failed(is, err, "upload").Code, sandbox.CodeNoSpace)
	r, err := sb.Exec(ctx, "cd /small && find . | sort")
	is.NoErr(err)
	is.Equal(string(r.Stdout), ".\n./a\n./large\n") // what was there keeps what fitted
}

func TestDownloadOfFilesThatChange(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	is.NoErr(sb.MkdirAll(ctx, "live", 0o755))
	job, err := sb.Command("sh", "-c", `cd live && head -c 3000000 /dev/zero | tr '\0' x > whole
		while :; do cp whole file; truncate -s 1000000 file; echo more >> log; touch f$((i=i+1)); rm -f f$((i-5)); mkfifo p; rm p; done`).Background(ctx, nil)
	is.NoErr(err)
	defer job.Stop(context.Background(), 0)
	dst := t.TempDir() + "/dst"
	for range 10 {
		r, err := sb.Download(ctx, "live", dst, &sandbox.TransferOptions{Skip: true})
		is.NoErr(err)
		data, err := os.ReadFile(dst + "/file")
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		is.NoErr(err)
		if bytes.Contains(data, []byte{0}) {
			is.True(slices.Contains(r.Changed, "file")) // zeros are never passed off as its contents
		}
	}
}

// A job that changes the tree under the feet of an upload can spoil the upload, and nothing
// else: it makes the guest neither wait nor write elsewhere.
func TestUploadRaces(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	job, err := sb.Command("sh", "-c", `mkdir -p t /tmp/elsewhere && cd t
		while :; do rm -rf d; mkfifo d; rm -rf d; ln -s /tmp/elsewhere d; rm -rf d; mkdir d; mkfifo d/f0 d/f1; ln -s /tmp/elsewhere/x d/f2; done 2>/dev/null`).Background(ctx, nil)
	is.NoErr(err)
	defer job.Stop(context.Background(), 0)
	tree := fstest.MapFS{}
	for i := range 50 {
		tree[fmt.Sprint("d/f", i)] = &fstest.MapFile{Data: []byte("x")}
		tree[fmt.Sprint("e/f", i)] = &fstest.MapFile{Data: []byte("x")}
	}
	for range 100 {
		_, err := sb.UploadFS(ctx, tree, "t", nil)
		is.NoErr(context.Cause(ctx)) // it never waits
		is.True(err == nil || failed(is, err, "upload").Code != "")
		_, err = sb.Download(ctx, "t", t.TempDir()+"/dst", &sandbox.TransferOptions{Skip: true})
		is.NoErr(context.Cause(ctx))
		is.True(err == nil || failed(is, err, "download").Code != "")
	}
	entries, err := sb.ReadDir(ctx, "/tmp/elsewhere")
	is.NoErr(err)
	is.Equal(len(entries), 0) // nothing was written elsewhere
}

// A canceled transfer returns at once and leaves neither files nor goroutines.
func TestTransferCanceled(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	tree := fstest.MapFS{}
	for i := range 200 {
		tree[fmt.Sprint("f", i)] = &fstest.MapFile{Data: make([]byte, 1<<20)}
	}
	background := context.Background()
	_, err := sb.UploadFS(background, tree, "tree", nil)
	is.NoErr(err)
	before := runtime.NumGoroutine()
	stop := errors.New("enough")
	dir := t.TempDir()
	for name, do := range map[string]func(context.Context, *sandbox.TransferOptions) error{
		"upload": func(ctx context.Context, o *sandbox.TransferOptions) error {
			_, err := sb.UploadFS(ctx, tree, "again", o)
			return err
		},
		"download": func(ctx context.Context, o *sandbox.TransferOptions) error {
			_, err := sb.Download(ctx, "tree", dir+"/dst", o)
			return err
		},
		"archive": func(ctx context.Context, o *sandbox.TransferOptions) error {
			_, err := sb.DownloadTar(ctx, "tree", io.Discard, o)
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			ctx, cancel := context.WithCancelCause(background)
			defer cancel(nil)
			var canceled time.Time
			err := do(ctx, &sandbox.TransferOptions{Progress: func(p sandbox.TransferProgress) {
				if p.Bytes > 0 && canceled.IsZero() {
					canceled = time.Now()
					cancel(stop)
				}
			}})
			is.True(errors.Is(err, stop))                     // the cause
			is.True(time.Since(canceled) < 2*time.Second)     // at once
			r, err := sb.Exec(background, "sleep 1; ls -A .") // the guest, too
			is.NoErr(err)
			is.Equal(string(r.Stdout), "tree\n") // nothing is left inside
			entries, err := os.ReadDir(dir)
			is.NoErr(err)
			is.Equal(len(entries), 0) // nor on the host
		})
	}
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before && time.Now().Before(end); {
		time.Sleep(10 * time.Millisecond)
	}
	is.True(runtime.NumGoroutine() <= before)
}

func TestTransferProgress(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	ctx := context.Background()
	tree := fstest.MapFS{"large": {Data: make([]byte, 100<<20)}}
	var seen []sandbox.TransferProgress
	o := &sandbox.TransferOptions{Progress: func(p sandbox.TransferProgress) { seen = append(seen, p) }}
	start := time.Now()
	_, err := sb.UploadFS(ctx, tree, "tree", o)
	is.NoErr(err)
	for _, name := range []string{"upload", "download"} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.True(len(seen) >= 2 && len(seen) <= 3+int(time.Since(start)/(time.Second/10))) // ten times a second
			is.True(slices.IsSortedFunc(seen, func(a, b sandbox.TransferProgress) int { return int(a.Bytes - b.Bytes) }))
			is.Equal(seen[len(seen)-1], sandbox.TransferProgress{Bytes: 100 << 20, Entries: 2, Name: "large"}) // and at the end
		})
		seen, start = nil, time.Now()
		_, err = sb.Download(ctx, "tree", t.TempDir()+"/dst", o)
		is.NoErr(err)
	}
}

// The guest may answer once it has the archive's last byte, before it hears that there are no
// more.
func TestUploadEndsOnce(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{})
	fsys := fstest.MapFS{"a": {Data: []byte("x")}}
	for range 1000 {
		_, err := sb.UploadFS(context.Background(), fsys, ".", nil)
		is.NoErr(err)
	}
}
