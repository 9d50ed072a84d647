//go:build linux

package guest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// The guest takes every signal and reaps every child of its process, so it runs in one of
// its own: this binary again, told so by roleVar.
const (
	roleVar  = "DRYDOCK_TEST_GUEST"
	mountVar = "DRYDOCK_TEST_MOUNT" // a directory to mount a small tmpfs on first
	// With the race detector a process sleeps a second before it ends unless told not to.
	raceVar = "GORACE=atexit_sleep_ms=0"
)

// jobUser is the user of guests if the test itself runs as root, whom no permission stops.
const jobUser = 12345

func TestMain(m *testing.M) {
	if os.Getenv(roleVar) == "" {
		os.Exit(m.Run())
	}
	// PID 1 of a container has three files. This process also has its binary (see serve) and
	// the files that the test was started with.
	fds, _ := os.ReadDir("/proc/self/fd")
	for _, fd := range fds {
		if n, _ := strconv.Atoi(fd.Name()); n > 2 {
			syscall.CloseOnExec(n)
		}
	}
	dir := os.Getenv(mountVar)
	os.Unsetenv(roleVar)
	os.Unsetenv(mountVar)
	if err := serveChild(dir); err != nil {
		fmt.Fprintln(os.Stderr, "guest of the test:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

func serveChild(dir string) error {
	if dir != "" {
		if err := smallMounts(dir); err != nil {
			return err
		}
	}
	// Orphans come to PID 1 of a container; here they come to a subreaper.
	const prSetChildSubreaper = 36
	if _, _, errno := syscall.RawSyscall(syscall.SYS_PRCTL, prSetChildSubreaper, 1, 0); errno != 0 {
		return errno
	}
	err := Serve(os.Stdin, os.Stdout)
	if os.Getpid() == 1 {
		return err // the kernel does the rest
	}
	// The end of PID 1 would end the others. Their children come to this process in turn.
	for {
		all := childrenOf(os.Getpid())
		if len(all) == 0 {
			return err
		}
		for _, p := range all {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
		time.Sleep(time.Millisecond)
	}
}

// smallMounts puts a tmpfs of 64 KiB on dir/small, and a file of it on dir/mounted.
func smallMounts(dir string) error {
	small := filepath.Join(dir, "small")
	if err := syscall.Mount("none", small, "tmpfs", 0, "size=64k,mode=0777"); err != nil {
		return err
	}
	file := filepath.Join(small, "file")
	if err := os.WriteFile(file, []byte("old"), 0o644); err != nil {
		return err
	}
	return syscall.Mount(file, filepath.Join(dir, "mounted"), "", syscall.MS_BIND, "")
}

type procInfo struct {
	pid   int
	state string
}

// childrenOf reads the children of a process from /proc, zombies included, but not the
// canary.
func childrenOf(parent int) (children []procInfo) {
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, name := range stats {
		b, err := os.ReadFile(name)
		if err != nil {
			continue // ended meanwhile
		}
		// pid (name) state ppid: the name may hold anything.
		pid, _, _ := strings.Cut(string(b), " ")
		f := strings.Fields(string(b[bytes.LastIndexByte(b, ')')+1:]))
		args, _ := os.ReadFile("/proc/" + pid + "/cmdline")
		if bytes.HasPrefix(args, []byte("drydock-canary\x00")) {
			continue // the guest's own
		}
		if len(f) > 1 && f[1] == strconv.Itoa(parent) {
			n, _ := strconv.Atoi(pid)
			children = append(children, procInfo{n, f[0]})
		}
	}
	return children
}

// session is a guest in a process of its own and the channel to it.
type session struct {
	ch  *channel.Channel
	pid int
	dir string // where relative paths start; the guest's own
	uid int
}

type sessionOptions struct {
	env    []string
	root   bool    // run as root
	mounts bool    // with smallMounts, in a mount namespace
	flags  uintptr // further clone flags
}

// childEnv is the environment that makes this binary a guest.
func childEnv(t *testing.T, is *is.I) []string {
	t.Helper()
	is.Helper()
	env := []string{roleVar + "=1", raceVar}
	if testing.CoverMode() == "" {
		return env
	}
	// A binary built with -cover complains if it cannot write its counts, and the directory for
	// those of this one is closed to other users.
	dir, err := os.MkdirTemp("", "drydock-guest-cover-")
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(os.RemoveAll(dir)) })
	is.NoErr(os.Chmod(dir, 0o777))
	return append(env, "GOCOVERDIR="+dir)
}

// serve starts a guest, which ends with the test.
func serve(t *testing.T, is *is.I, opts sessionOptions) *session {
	t.Helper()
	is.Helper()
	s := &session{uid: os.Getuid()}
	var err error
	// Not t.TempDir: nobody but its owner can get there.
	s.dir, err = os.MkdirTemp("", "drydock-guest-test-")
	is.NoErr(err)
	t.Cleanup(func() {
		// Tests leave directories that are not writable.
		_ = filepath.WalkDir(s.dir, func(path string, d fs.DirEntry, err error) error {
			if err == nil && d.IsDir() {
				err = os.Chmod(path, 0o755)
			}
			return err
		})
		is.NoErr(os.RemoveAll(s.dir))
	})
	is.NoErr(os.Chmod(s.dir, 0o755))
	attr := &syscall.SysProcAttr{Cloneflags: opts.flags}
	if s.uid == 0 && !opts.root {
		s.uid = jobUser
		attr.Credential = &syscall.Credential{Uid: jobUser, Gid: jobUser}
		is.NoErr(os.Chown(s.dir, jobUser, jobUser))
	}

	self, err := os.Open("/proc/self/exe")
	is.NoErr(err)
	defer self.Close()
	guestR, hostW, err := os.Pipe()
	is.NoErr(err)
	hostR, guestW, err := os.Pipe()
	is.NoErr(err)
	var stderr bytes.Buffer
	// By descriptor: the directory that go test built it in is closed to other users.
	cmd := exec.Command("/proc/self/fd/3")
	cmd.ExtraFiles = []*os.File{self}
	cmd.Stdin, cmd.Stdout, cmd.Stderr = guestR, guestW, &stderr
	cmd.Env = append(childEnv(t, is), "PATH=/usr/local/bin:/usr/bin:/bin", "FROM=image", "BOTH=image")
	if opts.mounts {
		is.NoErr(os.Mkdir(filepath.Join(s.dir, "small"), 0o755))
		is.NoErr(os.WriteFile(filepath.Join(s.dir, "mounted"), nil, 0o644))
		attr.Unshareflags = syscall.CLONE_NEWNS
		cmd.Env = append(cmd.Env, mountVar+"="+s.dir)
	}
	cmd.SysProcAttr = attr
	err = cmd.Start()
	guestR.Close()
	guestW.Close()
	if err != nil {
		hostR.Close()
		hostW.Close()
		if opts.mounts || opts.flags != 0 {
			t.Skipf("no namespaces here: %v", err)
		}
		is.NoErr(err)
	}
	s.pid = cmd.Process.Pid
	hello := wire.HostHello{Dir: []byte(s.dir), Env: [][]byte{[]byte("BOTH=hello"), []byte("HOME=" + s.dir)}}
	for _, e := range opts.env {
		hello.Env = append(hello.Env, []byte(e))
	}
	s.ch = channel.Open(hostW, hostR, hello)
	t.Cleanup(func() {
		is := is.New(t)
		err := s.ch.Err()
		hostW.Close() // the guest's end
		waited := cmd.Wait()
		s.ch.Close()
		hostR.Close()
		s.ch.Wait()
		is.NoErr(err)                 // the channel was open until now
		is.NoErr(waited)              // the guest ended well
		is.Equal(stderr.String(), "") // without a word
	})
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	got, err := s.ch.Ready(ctx)
	if err != nil && opts.mounts {
		t.Skipf("no mounts here: %v", err)
	}
	is.NoErr(err)
	is.Equal(got.UID, s.uid)
	return s
}

// path is a path in the session's directory.
func (s *session) path(name string) string { return s.dir + "/" + name }

// do makes a call without a stream.
func (s *session) do(op wire.Op, args, v any) error {
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	return s.ch.Do(ctx, op, args, v)
}

// collect makes a call and returns what comes on its stream.
func (s *session) collect(op wire.Op, args, v any) ([]byte, error) {
	var data []byte
	call, err := s.ch.Start(&channel.Request{Op: op, Args: args, Stdout: func(p []byte) { data = append(data, p...) }})
	if err == nil {
		err = call.Result(context.Background(), v)
	}
	if err != nil {
		return nil, err
	}
	return data, nil
}

func (s *session) read(m wire.Read) ([]byte, error) {
	return s.collect(wire.OpRead, &m, nil)
}

// readAll reads a whole file of up to 1 MiB.
func (s *session) readAll(name string) ([]byte, error) {
	return s.read(wire.Read{Path: []byte(name), Limit: -1, Max: 1 << 20})
}

// write writes a file in the way the host does.
func (s *session) write(m wire.Write, data []byte) (w wire.Written, err error) {
	r := &channel.Request{Op: wire.OpWrite, Args: &m}
	if len(data) <= wire.MaxData {
		r.Body = append([]byte{}, data...)
	}
	call, err := s.ch.Start(r)
	if err != nil {
		return w, err
	}
	if r.Body == nil {
		if _, err := call.Stream.Write(data); err == nil {
			_ = call.Stream.CloseWrite()
		}
	}
	return w, call.Result(context.Background(), &w)
}

func (s *session) list(name string) (infos []wire.FileInfo, err error) {
	data, err := s.collect(wire.OpReadDir, &wire.Path{Path: []byte(name)}, nil)
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(data) {
		var info wire.FileInfo
		if err := json.Unmarshal(line, &info); err != nil {
			return nil, err
		}
		infos = append(infos, info)
	}
	return infos, nil
}

// sh is a shell script as a command.
func sh(script string, args ...string) *wire.Exec {
	return command(append([]string{"sh", "-c", script, "sh"}, args...)...)
}

func command(args ...string) *wire.Exec {
	x := &wire.Exec{Path: []byte(args[0])}
	for _, a := range args {
		x.Args = append(x.Args, []byte(a))
	}
	return x
}

// exec starts a command whose streams the caller reads.
func (s *session) exec(is *is.I, x *wire.Exec) *channel.Call {
	is.Helper()
	call, err := s.ch.Start(&channel.Request{Op: wire.OpExec, Args: x})
	is.NoErr(err)
	return call
}

// result is how a command ended and what it wrote.
type result struct {
	wire.Exited
	out, err string
}

// run runs a command to its end.
func (s *session) run(x *wire.Exec) (r result, err error) {
	var out, errs []byte
	call, err := s.ch.Start(&channel.Request{Op: wire.OpExec, Args: x,
		Stdout: func(p []byte) { out = append(out, p...) }, Stderr: func(p []byte) { errs = append(errs, p...) }})
	if err != nil {
		return r, err
	}
	err = call.Result(context.Background(), &r.Exited)
	r.out, r.err = string(out), string(errs)
	return r, err
}

// output runs a script that must succeed.
func (s *session) output(is *is.I, script string, args ...string) string {
	is.Helper()
	r, err := s.run(sh(script, args...))
	is.NoErr(err)
	is.Equal(r.err, "")
	is.Equal(r.Code, 0)
	return r.out
}

func codeOf(err error) wire.Code {
	var e *wire.Error
	if errors.As(err, &e) && e.Text != "" {
		return e.Code
	}
	return wire.Code(fmt.Sprintf("no code: %v", err))
}

// eventually waits until ok, by looking again: the kernel does not tell of some things.
func eventually(is *is.I, ok func() bool) {
	is.Helper()
	for end := time.Now().Add(10 * time.Second); !ok() && time.Now().Before(end); {
		time.Sleep(2 * time.Millisecond)
	}
	is.True(ok())
}

// fifo makes a FIFO of the session's, and returns a function that waits until every
// process has closed it or ended. At least one must have opened it before.
func (s *session) fifo(is *is.I, name string) (wait func() string) {
	is.Helper()
	is.NoErr(syscall.Mkfifo(s.path(name), 0o600))
	is.NoErr(os.Chown(s.path(name), s.uid, -1))
	f, err := os.OpenFile(s.path(name), os.O_RDONLY|syscall.O_NONBLOCK, 0)
	is.NoErr(err)
	return func() string {
		defer f.Close()
		b, err := io.ReadAll(f)
		is.NoErr(err)
		return string(b)
	}
}

func TestServe(t *testing.T) {
	t.Run("nothing but its three files reaches a command", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		is.Equal(s.output(is, "for n in $(seq 0 300); do [ ! -e /proc/$$/fd/$n ] || echo $n; done"), "0\n1\n2\n")
	})
	t.Run("signal dispositions are the default for a command", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		status := s.output(is, "grep -E 'Sig(Blk|Ign)' /proc/self/status")
		is.Equal(strings.Count(status, "0000000000000000"), 2) // nothing blocked, nothing ignored
	})
	t.Run("a command cannot look into it", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		if s.uid == 0 {
			t.Skip("root may")
		}
		r, err := s.run(sh("cat /proc/$0/environ || ls /proc/$0/fd", strconv.Itoa(s.pid)))
		is.NoErr(err)
		is.True(r.Code != 0)
		is.Equal(r.out, "")
	})
	t.Run("an operation of a later version", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		is.Equal(codeOf(s.do(200, nil, nil)), wire.CodeUnsupported)
		is.Equal(codeOf(s.do(wire.OpStat, "no object", nil)), wire.CodeInvalid) // nor do odd arguments end it
	})
	t.Run("200 commands at once", func(t *testing.T) {
		is := is.New(t)
		s := serve(t, is, sessionOptions{})
		var wg sync.WaitGroup
		for i := range 200 {
			wg.Go(func() {
				r, err := s.run(sh(`echo "$1"; echo "$1" >&2; exit "$2"`, fmt.Sprint(i), fmt.Sprint(i%256)))
				is.NoErr(err)
				is.Equal(r.out, fmt.Sprintln(i)) // each its own output
				is.Equal(r.err, fmt.Sprintln(i))
				is.Equal(r.Code, i%256) // and its own exit code
			})
		}
		wg.Wait()
		is.Equal(len(childrenOf(s.pid)), 0) // all reaped
	})
}

func TestServeEnds(t *testing.T) {
	var hello, bad bytes.Buffer
	w := wire.NewWriter(&hello)
	is.New(t).NoErr(w.Send(wire.KindHello, 0, []byte("{}")))
	for name, frame := range map[string][]byte{
		"no hello":     wire.AppendFrame(nil, wire.KindPing, 0, nil),
		"odd hello":    wire.AppendFrame(nil, wire.KindHello, 0, []byte("x")),
		"reply":        wire.AppendFrame(hello.Bytes(), wire.KindReply, 2, nil),
		"empty call":   wire.AppendFrame(hello.Bytes(), wire.KindCall, 2, nil),
		"odd cancel":   wire.AppendFrame(hello.Bytes(), wire.KindCancel, 2, nil),
		"odd signal":   wire.AppendFrame(hello.Bytes(), wire.KindSignal, 2, []byte("x")),
		"unknown kind": append(hello.Bytes(), make([]byte, 9)...),
		"cut":          {0},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			bad.Reset()
			cmd := exec.Command("/proc/self/exe")
			cmd.Env = childEnv(t, is)
			cmd.Stdin, cmd.Stderr = bytes.NewReader(frame), &bad
			err := cmd.Run()
			var exit *exec.ExitError
			is.True(errors.As(err, &exit)) // says so and ends
			is.Equal(exit.ExitCode(), 1)
			is.True(strings.HasPrefix(bad.String(), "guest of the test: "))
		})
	}
}
