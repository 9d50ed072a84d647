//go:build linux

package guest

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

// fuzzed is a guest in the test's own process, so that the fuzzer sees the code that it covers.
// It starts processes and reaps those alone.
type fuzzed struct {
	*guest
	stop chan struct{}
	done chan struct{}
}

func newFuzzed(dir string) *fuzzed {
	f := &fuzzed{stop: make(chan struct{}), done: make(chan struct{})}
	f.guest = &guest{dir: dir, started: time.Now(), beside: true, // PID 1 has the account files
		jobs: &jobs{started: make(chan struct{}, 1), running: make(map[int]*job),
			limits: readOwnLimits(), oom: &oomCounter{}, end: func(string) {}}}
	f.jobs.beginTags()
	go f.reap()
	return f
}

// reap waits for each process that was started, and ends when all have ended.
func (f *fuzzed) reap() {
	defer close(f.done)
	for {
		f.jobs.mu.Lock()
		pid := 0
		for pid = range f.jobs.running {
			var info siginfo
			_, _, _ = syscall.Syscall6(syscall.SYS_WAITID, pPID, uintptr(pid), uintptr(unsafe.Pointer(&info)),
				syscall.WEXITED|syscall.WNOHANG|wNoWait, 0, 0)
			if info.pid == int32(pid) {
				break
			}
			pid = -1
		}
		f.jobs.mu.Unlock()
		if pid > 0 {
			f.jobs.reapOne(pid)
			continue
		}
		select {
		case <-f.stop:
			if pid == 0 {
				return
			}
			time.Sleep(time.Millisecond)
		case <-f.jobs.started:
		case <-time.After(time.Millisecond):
		}
	}
}

// pause is a host that has said everything, and stays a moment for the answers.
type pause struct{ g *guest }

func (p pause) Read([]byte) (int, error) {
	const moment = 10 * time.Millisecond
	answered := func() bool {
		p.g.hostMu.Lock()
		host := p.g.host
		p.g.hostMu.Unlock()
		if host == nil {
			return true
		}
		host.mu.Lock()
		defer host.mu.Unlock()
		return len(host.calls) == 0
	}
	for end := time.Now().Add(moment); !answered() && time.Now().Before(end); {
		time.Sleep(100 * time.Microsecond)
	}
	return 0, io.EOF
}

// harmless reports whether a call does no harm to the machine that runs the fuzzer: it names
// files below the directory alone, and starts one of two programs.
func harmless(h wire.Header, payload []byte) bool {
	if h.Kind != wire.KindCall || len(payload) == 0 {
		return true
	}
	local := func(m any, names ...*[]byte) bool {
		if json.Unmarshal(payload[1:], m) != nil {
			return true // refused
		}
		for _, name := range names {
			if len(*name) > 0 && !filepath.IsLocal(string(*name)) {
				return false
			}
		}
		return true
	}
	program := func(m any, x *wire.Exec) bool {
		return json.Unmarshal(payload[1:], m) != nil ||
			(string(x.Path) == "/bin/true" || string(x.Path) == "/bin/cat") && len(x.Args) == 1 && len(x.Env)+len(x.Dir) == 0
	}
	switch wire.Op(payload[0]) {
	case wire.OpExec:
		m := &wire.Exec{}
		return program(m, m)
	case wire.OpJobStart:
		m := &wire.JobStart{}
		return program(m, &m.Exec)
	case wire.OpRead:
		m := &wire.Read{}
		return local(m, &m.Path)
	case wire.OpWrite:
		m := &wire.Write{}
		return local(m, &m.Path)
	case wire.OpStat, wire.OpReadDir, wire.OpRealPath:
		m := &wire.Path{}
		return local(m, &m.Path)
	case wire.OpMkdir:
		m := &wire.Mkdir{}
		return local(m, &m.Path)
	case wire.OpRemove:
		m := &wire.Remove{}
		return local(m, &m.Path)
	case wire.OpRename:
		m := &wire.Rename{}
		return local(m, &m.From, &m.To)
	case wire.OpReadLines:
		m := &wire.ReadLines{}
		return local(m, &m.Path)
	case wire.OpEdit:
		m := &wire.Edit{}
		return local(m, &m.Path)
	case wire.OpGlob:
		m := &wire.Glob{}
		return local(m, &m.Dir, &m.Pattern)
	case wire.OpGrep:
		m := &wire.Grep{}
		return local(m, &m.Path)
	case wire.OpPack:
		m := &wire.Pack{}
		return local(m, &m.Path)
	case wire.OpUnpack:
		m := &wire.Unpack{}
		return local(m, &m.Path)
	}
	return true
}

// FuzzServe gives the guest any bytes that a host can send. It ends with the host, with a reason
// and with all that it began. Its answers are well formed.
func FuzzServe(f *testing.F) {
	call := func(b []byte, id uint32, op wire.Op, args any) []byte {
		payload, err := json.Marshal(args)
		if err != nil {
			f.Fatal(err)
		}
		return wire.AppendFrame(b, wire.KindCall, id, append([]byte{byte(op)}, payload...))
	}
	cat := wire.Exec{Path: []byte("/bin/cat"), Args: [][]byte{[]byte("cat")}, Stdin: true, Grace: int64(time.Second)}
	tty, now := cat, []byte(`{"Now":true}`)
	tty.Terminal, tty.MaxOutput, tty.Control = &wire.Size{Rows: 24, Cols: 80}, 100, true
	path := []byte("a/file")
	b := call(nil, 3, wire.OpExec, cat)
	b = wire.AppendFrame(b, wire.KindData, 3, []byte("in"))
	f.Add(true, wire.AppendFrame(b, wire.KindEnd, 3, []byte("end")))
	b = wire.AppendFrame(b, wire.KindSignal, 3, []byte(`{"Number":15}`))
	f.Add(true, wire.AppendFrame(b, wire.KindCancel, 3, now))
	b = call(nil, 3, wire.OpExec, tty)
	b = wire.AppendFrame(b, wire.KindSignal, 3, []byte(`{"Size":{"Rows":2,"Cols":3}}`))
	f.Add(true, wire.AppendFrame(b, wire.KindData, 3, []byte("x\x03\x04")))
	b = call(nil, 3, wire.OpJobStart, wire.JobStart{Exec: cat, Keep: 100})
	b = call(b, 6, wire.OpJobRead, wire.JobRead{ID: 1, Follow: true, Input: true})
	b = wire.AppendFrame(b, wire.KindData, 6, []byte("line\n"))
	b = call(b, 9, wire.OpJobWait, wire.JobWait{ID: 1, Pattern: []byte("l.*e")})
	b = call(b, 12, wire.OpJobSignal, wire.JobSignal{ID: 1, Signal: wire.Signal{Number: 10}})
	b = call(b, 15, wire.OpJobs, struct{}{})
	f.Add(true, call(b, 18, wire.OpJobStop, wire.JobStop{ID: 1}))
	b = call(nil, 3, wire.OpMkdir, wire.Mkdir{Path: []byte("a"), Mode: 0o755})
	b = call(b, 6, wire.OpWrite, wire.Write{Path: path, Mode: 0o644})
	b = wire.AppendFrame(b, wire.KindEnd, 6, []byte("some\ntext\n"))
	for i, one := range []struct {
		op   wire.Op
		args any
	}{
		{wire.OpRead, wire.Read{Path: path, Limit: -1, Max: 100}},
		{wire.OpReadLines, wire.ReadLines{Path: path, First: 1, Max: 100}},
		{wire.OpEdit, wire.Edit{Path: path, Old: []byte("some"), New: []byte("any"), Max: 100}},
		{wire.OpStat, wire.Path{Path: path}},
		{wire.OpReadDir, wire.Path{Path: []byte("a")}},
		{wire.OpRealPath, wire.Path{Path: path}},
		{wire.OpGlob, wire.Glob{Pattern: []byte("**/*")}},
		{wire.OpGrep, wire.Grep{Pattern: []byte("te.t")}},
		{wire.OpPack, wire.Pack{Path: []byte("a"), Skip: true}},
		{wire.OpUnpack, wire.Unpack{Path: []byte("b")}},
		{wire.OpRename, wire.Rename{From: path, To: []byte("b")}},
		{wire.OpRemove, wire.Remove{Path: []byte("a"), All: true}},
		{wire.OpStats, struct{}{}},
	} {
		b = call(b, uint32(9+wire.CallStreams*i), one.op, one.args)
	}
	f.Add(true, b)
	f.Add(true, b[:len(b)-3])
	f.Add(true, wire.AppendFrame(nil, wire.KindPing, 0, []byte("ping")))
	f.Add(true, wire.AppendFrame(nil, wire.KindBye, 0, nil))
	f.Add(true, wire.AppendFrame(nil, wire.KindReply, 3, nil))
	f.Add(true, wire.AppendFrame(nil, wire.KindCredit, 3, []byte{255, 255, 255, 255}))
	f.Add(true, []byte{255, 255, 255, 255, 2, 0, 0, 0, 3})
	f.Add(false, wire.AppendFrame(nil, wire.KindHello, 0, []byte(`{"Major":1,"Again":true}`)))
	f.Add(false, wire.AppendFrame(nil, wire.KindHello, 0, []byte(`{`)))
	f.Add(false, []byte("GET / HTTP/1.1\r\n"))

	dir := f.TempDir()
	hello, err := json.Marshal(wire.HostHello{Major: wire.Major, Dir: []byte(dir)})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, greeted bool, in []byte) {
		is := is.New(t)
		r := wire.NewReader(bytes.NewReader(in))
		for n := 0; ; n++ {
			h, err := r.Next()
			if err != nil {
				break
			}
			if !greeted && n > 0 {
				return // with a directory of its own choice
			}
			payload, err := r.Payload(h)
			if err != nil {
				break
			}
			if !harmless(h, payload) {
				return
			}
		}
		is.NoErr(os.MkdirAll(dir, 0o755))
		before := runtime.NumGoroutine()
		if greeted {
			in = append(wire.AppendFrame(nil, wire.KindHello, 0, hello), in...)
		}
		g := newFuzzed(dir)
		answers, w := io.Pipe()
		read := make(chan error)
		go func() { read <- wellFormed(answers) }()
		served := make(chan error, 1)
		go func() { served <- g.serve(io.MultiReader(bytes.NewReader(in), pause{g.guest}), w, func() {}) }()
		select {
		case err = <-served:
		case <-time.After(20 * time.Second):
			t.Fatal("the guest outlives its host")
		}
		is.True(err == nil || err.Error() != "") // a reason to tell people
		// Its calls end, and then only the two that are the test's own are left.
		for end := time.Now().Add(20 * time.Second); runtime.NumGoroutine() > before+2; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				stacks := make([]byte, 1<<16)
				t.Fatalf("goroutines are left:\n%s", stacks[:runtime.Stack(stacks, true)])
			}
			g.background.mu.Lock()
			for _, j := range g.background.jobs {
				j.job.kill() // they outlive a host, not the sandbox
			}
			g.background.mu.Unlock()
		}
		close(g.stop)
		<-g.done
		is.NoErr(w.Close())
		is.NoErr(<-read)
	})
}

// wellFormed reads a guest's frames to their end.
func wellFormed(r io.Reader) error {
	frames := wire.NewReader(r)
	for {
		h, err := frames.Next()
		if err == io.EOF {
			return nil
		}
		if err == nil {
			_, err = frames.Payload(h)
		}
		switch h.Kind {
		case wire.KindCall, wire.KindCancel, wire.KindSignal, wire.KindPing:
			err = errors.New("a frame of the host's")
		}
		if err != nil {
			_, _ = io.Copy(io.Discard, r)
			return err
		}
	}
}
