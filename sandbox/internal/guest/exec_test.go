//go:build linux

package guest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/channel"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
	"github.com/matryer/is"
)

func TestExec(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{env: []string{"FROM=hello", "TWICE=1", "TWICE=2"}})

	t.Run("streams", func(t *testing.T) {
		is := is.New(t)
		r, err := s.run(sh("echo out; echo err >&2; exit 3"))
		is.NoErr(err)
		is.Equal(r.out, "out\n")
		is.Equal(r.err, "err\n")
		is.Equal(r.Code, 3)
		is.Equal(r.Signal, 0)
		is.Equal(r.Rung, "")
		is.True(r.Elapsed > 0)
	})
	t.Run("joined", func(t *testing.T) {
		is := is.New(t)
		x := sh("echo 1; echo 2 >&2; echo 3")
		x.Join = true
		r, err := s.run(x)
		is.NoErr(err)
		is.Equal(r.out, "1\n2\n3\n") // in the order of writing
		is.Equal(r.err, "")
	})
	t.Run("exit codes", func(t *testing.T) {
		for _, code := range []int{0, 1, 125, 126, 127, 128, 137, 255} {
			is := is.New(t)
			r, err := s.run(sh("exit $1", strconv.Itoa(code)))
			is.NoErr(err)
			is.Equal(r.Code, code)
			is.Equal(r.Signal, 0) // 137 is no signal
		}
	})
	t.Run("signals", func(t *testing.T) {
		for _, sig := range []syscall.Signal{syscall.SIGHUP, syscall.SIGKILL, syscall.SIGSEGV, syscall.SIGPIPE} {
			is := is.New(t)
			r, err := s.run(sh("ulimit -c 0; kill -$1 $$", strconv.Itoa(int(sig))))
			is.NoErr(err)
			is.Equal(r.Signal, int(sig))
			is.Equal(r.Code, -1)
			is.True(!r.TimedOut && !r.Canceled) // nobody asked for it
		}
	})
	t.Run("arguments", func(t *testing.T) {
		is := is.New(t)
		args := []string{"", " ", "-n", "--", "a b", `'"$(id)`, "\n", "\xff\xfe", "*"}
		r, err := s.run(sh(`for a; do printf '%s\0' "$a"; done`, args...))
		is.NoErr(err)
		is.Equal(r.out, strings.Join(args, "\x00")+"\x00") // to the byte
	})
	t.Run("environment", func(t *testing.T) {
		is := is.New(t)
		x := sh(`echo "$FROM $BOTH $TWICE $MINE $EQ"`)
		for _, e := range []string{"MINE=\xff'1", "BOTH=command", "EQ=a=b"} {
			x.Env = append(x.Env, []byte(e))
		}
		r, err := s.run(x)
		is.NoErr(err)
		is.Equal(r.out, "hello command 2 \xff'1 a=b\n")                     // the last word wins
		is.Equal(s.output(is, `echo "$BOTH${MINE-unset}"`), "hellounset\n") // and is the command's alone
		is.Equal(s.output(is, `env | grep -c '^TWICE='`), "1\n")
	})
	t.Run("working directory", func(t *testing.T) {
		is := is.New(t)
		is.Equal(s.output(is, "pwd -P"), s.dir+"\n")
		s.output(is, "mkdir -p sub/dir && ln -s sub/dir link && : >file")
		for dir, want := range map[string]string{"sub": s.dir + "/sub", "/": "/", "link/..": s.dir + "/sub"} {
			x := sh("pwd -P")
			x.Dir = []byte(dir)
			r, err := s.run(x)
			is.NoErr(err)
			is.Equal(r.out, want+"\n")
		}
		for dir, want := range map[string]wire.Code{"missing": wire.CodeNotExist, "file": wire.CodeNotDir, "file/x": wire.CodeNotDir} {
			x := sh("pwd")
			x.Dir = []byte(dir)
			_, err := s.run(x)
			is.Equal(codeOf(err), want)
			is.True(strings.Contains(err.Error(), "working directory"))
		}
	})
	t.Run("look up", func(t *testing.T) {
		is := is.New(t)
		s.output(is, `mkdir -p a b c/tool; printf '#!/bin/sh\necho "$0 $1"\n' >b/tool; cp b/tool a/plain; chmod +x b/tool
			printf 'echo none' >nohead; printf '#!/nowhere/sh\n' >badhead; chmod +x nohead badhead; mkdir shut; cp b/tool shut; chmod 0 shut`)
		path := []byte("PATH=" + s.path("a") + ":b::" + s.path("c"))
		for name, want := range map[string]string{
			"tool": s.path("b/tool"), "./b/tool": s.path("b/tool"), s.path("b/tool"): s.path("b/tool"),
		} {
			x := command(name, "1")
			x.Env = [][]byte{path}
			r, err := s.run(x)
			is.NoErr(err)
			is.Equal(r.out, want+" 1\n")
		}
		for name, want := range map[string]wire.Code{
			"":            wire.CodeInvalid,
			"missing":     wire.CodeNoCommand,
			"plain":       wire.CodeNotExec, // found, without permission to run it
			"./missing":   wire.CodeNoCommand,
			"./a/plain":   wire.CodeNotExec,
			"./a":         wire.CodeIsDir,
			"/":           wire.CodeIsDir,
			"./nohead":    wire.CodeNotExec,
			"./badhead":   wire.CodeNotExist,
			"./shut/tool": wire.CodePermission,
			"./a/plain/x": wire.CodeNotDir,
			"a\x00b":      wire.CodeNoCommand,
		} {
			if s.uid == 0 && name == "./shut/tool" {
				continue // root may
			}
			x := command(name, "1")
			x.Env = [][]byte{path}
			_, err := s.run(x)
			is.Equal(codeOf(err), want)
		}
		x := command("sh")
		x.Env = [][]byte{[]byte("PATH=")}
		_, err := s.run(x)
		is.Equal(codeOf(err), wire.CodeNoCommand) // an empty PATH has no directories
		is.True(strings.Contains(err.Error(), "sh"))
	})
	t.Run("arguments too long", func(t *testing.T) {
		is := is.New(t)
		_, err := s.run(sh(":", strings.Repeat("x", 200<<10))) // one may have 128 KiB
		is.Equal(codeOf(err), wire.CodeTooLong)
		_, err = s.run(sh(":", "a\x00b"))
		is.Equal(codeOf(err), wire.CodeInvalid)
		is.Equal(len(childrenOf(s.pid)), 0)
	})
	t.Run("stdin", func(t *testing.T) {
		is := is.New(t)
		is.Equal(s.output(is, "cat; echo end; echo x >&0"), "end\n") // /dev/null, which takes bytes too
		x := sh("cat; echo end")
		x.Stdin = true
		for _, body := range []string{"", "some"} {
			call, err := s.ch.Start(&channel.Request{Op: wire.OpExec, Args: x, Body: []byte(body)})
			is.NoErr(err)
			out, err := io.ReadAll(call.Stream)
			is.NoErr(err)
			is.Equal(string(out), body+"end\n")
		}
		call := s.exec(is, x)
		data := bytes.Repeat([]byte("0123456789abcde\n"), 3*wire.Window/16)
		sent := make(chan error, 1)
		go func() {
			_, err := call.Stream.Write(data)
			sent <- errors.Join(err, call.Stream.CloseWrite())
		}()
		out, err := io.ReadAll(call.Stream)
		is.NoErr(err)
		is.NoErr(<-sent)
		is.True(bytes.Equal(out, append(data, "end\n"...))) // both ways at once
		is.NoErr(call.Result(context.Background(), &wire.Exited{}))
	})
	t.Run("stdin nobody reads", func(t *testing.T) {
		is := is.New(t)
		x := sh("exec <&-; echo closed; read x <$1", "gate")
		x.Stdin = true
		is.NoErr(syscall.Mkfifo(s.path("gate"), 0o600))
		is.NoErr(os.Chown(s.path("gate"), s.uid, -1))
		call := s.exec(is, x)
		got := make([]byte, 7)
		_, err := io.ReadFull(call.Stream, got)
		is.NoErr(err)
		for err == nil { // until the guest's EPIPE has come back
			_, err = call.Stream.Write(make([]byte, 1000))
		}
		is.Equal(err, wire.ErrReset)
		is.NoErr(os.WriteFile(s.path("gate"), []byte("\n"), 0))
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r))
		is.Equal(r.Code, 0) // the command goes on
	})
	t.Run("output nobody reads", func(t *testing.T) {
		is := is.New(t)
		call := s.exec(is, sh("head -c 3000000 /dev/zero && echo written >&2"))
		call.Stream.CloseRead()
		errs, err := io.ReadAll(call.Stderr)
		is.NoErr(err)
		is.Equal(string(errs), "written\n") // without SIGPIPE
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r))
		is.Equal(r.Code, 0)
	})
	t.Run("10 MB with a slow reader", func(t *testing.T) {
		is := is.New(t)
		call := s.exec(is, sh("seq 1 2000000 | head -c 10000000"))
		is.Equal(s.output(is, "echo meanwhile"), "meanwhile\n") // others do not wait for it
		var got bytes.Buffer
		for buf := make([]byte, 5000); ; {
			n, err := call.Stream.Read(buf)
			got.Write(buf[:n])
			if err == io.EOF {
				break
			}
			is.NoErr(err)
		}
		var want bytes.Buffer
		for i := 1; want.Len() < 10_000_000; i++ {
			fmt.Fprintln(&want, i)
		}
		is.True(bytes.Equal(got.Bytes(), want.Bytes()[:10_000_000])) // intact
		is.NoErr(call.Result(context.Background(), &wire.Exited{}))
	})
}

// ready starts a command and returns when it has said so.
func (s *session) ready(is *is.I, x *wire.Exec) *channel.Call {
	is.Helper()
	call := s.exec(is, x)
	_, err := io.ReadFull(call.Stream, make([]byte, len("ready\n")))
	is.NoErr(err)
	return call
}

func TestLadder(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	const long = "exec sleep 100"
	// stubborn ignores TERM, and says so when it does.
	const stubborn = `trap '' TERM; echo ready; while :; do sleep 100; done`

	t.Run("timeout", func(t *testing.T) {
		is := is.New(t)
		x := sh(long)
		x.Timeout, x.Grace = int64(20*time.Millisecond), int64(time.Minute)
		r, err := s.run(x)
		is.NoErr(err)
		is.True(r.TimedOut && !r.Canceled)
		is.Equal(r.Rung, "term")
		is.Equal(r.Signal, int(syscall.SIGTERM))
		is.True(r.Elapsed >= x.Timeout)
	})
	t.Run("grace", func(t *testing.T) {
		is := is.New(t)
		x := sh(stubborn)
		x.Timeout, x.Grace = int64(100*time.Millisecond), int64(50*time.Millisecond)
		r, err := s.run(x)
		is.NoErr(err)
		is.True(r.TimedOut)
		is.Equal(r.Rung, "kill")
		is.Equal(r.Signal, int(syscall.SIGKILL))
		is.True(r.Elapsed >= x.Timeout+x.Grace) // not before the grace is over
	})
	t.Run("no grace", func(t *testing.T) {
		is := is.New(t)
		x := sh(long)
		x.Timeout = int64(time.Millisecond)
		r, err := s.run(x)
		is.NoErr(err)
		is.Equal(r.Rung, "kill")
	})
	t.Run("time to clean up", func(t *testing.T) {
		is := is.New(t)
		x := sh(`trap 'echo bye; exit 7' TERM; echo ready; while :; do sleep 0.01; done`)
		x.Timeout, x.Grace = int64(200*time.Millisecond), int64(time.Minute)
		r, err := s.run(x)
		is.NoErr(err)
		is.Equal(r.out, "ready\nbye\n")
		is.Equal(r.Code, 7)
		is.True(r.TimedOut)
	})
	t.Run("cancel", func(t *testing.T) {
		for _, now := range []bool{false, true} {
			is := is.New(t)
			x := sh("echo ready; " + long)
			x.Grace = int64(time.Minute)
			call := s.ready(is, x)
			call.Cancel(now)
			call.Cancel(now)
			call.Cancel(now)
			var r wire.Exited
			is.NoErr(call.Result(context.Background(), &r))
			is.True(r.Canceled && !r.TimedOut)
			is.Equal(r.Rung, map[bool]string{false: "term", true: "kill"}[now])
		}
	})
	t.Run("cancel again, harder", func(t *testing.T) {
		is := is.New(t)
		x := sh(stubborn)
		x.Grace = int64(time.Hour)
		call := s.ready(is, x)
		call.Cancel(false)
		call.Cancel(true)
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r))
		is.True(r.Canceled)
		is.Equal(r.Rung, "kill")
	})
	t.Run("cancel before it starts", func(t *testing.T) {
		is := is.New(t)
		for range 50 { // the request and its end race in the guest
			x := sh(long)
			call := s.exec(is, x)
			call.Cancel(true)
			var r wire.Exited
			if err := call.Result(context.Background(), &r); err != nil {
				is.Equal(codeOf(err), wire.CodeAborted)
			} else {
				is.True(r.Canceled)
			}
		}
		is.Equal(len(childrenOf(s.pid)), 0) // either way nothing runs
	})
	t.Run("a stopped command", func(t *testing.T) {
		is := is.New(t)
		x := sh("echo ready; kill -STOP $$; exit 3")
		x.Grace = int64(time.Minute)
		call := s.ready(is, x)
		call.Cancel(false)
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r)) // sees its TERM
		is.Equal(r.Rung, "term")
	})
	t.Run("the whole tree", func(t *testing.T) {
		is := is.New(t)
		wait := s.fifo(is, "tree")
		// The leader heeds TERM; a child that left its group does not and holds the FIFO.
		x := sh(`exec 9>tree; setsid sh -c "trap '' TERM; echo ready; exec sleep 100" & wait`)
		x.Grace = int64(100 * time.Millisecond)
		call := s.ready(is, x)
		call.Cancel(false)
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r))
		is.Equal(r.Signal, int(syscall.SIGTERM)) // the leader's own end
		is.Equal(r.Rung, "kill")                 // what the rest needed
		is.Equal(wait(), "")                     // ends once all of them are gone
	})
	t.Run("signal", func(t *testing.T) {
		is := is.New(t)
		call := s.ready(is, sh(`trap 'echo usr1; exit 4' USR1; echo ready; while :; do sleep 0.01; done`))
		is.NoErr(call.Signal(wire.Signal{Number: int(syscall.SIGUSR1)}))
		out, err := io.ReadAll(call.Stream)
		is.NoErr(err)
		is.Equal(string(out), "usr1\n")
		var r wire.Exited
		is.NoErr(call.Result(context.Background(), &r))
		is.Equal(r.Code, 4)
		is.True(!r.Canceled)
		is.NoErr(call.Signal(wire.Signal{Number: 9})) // to a call that is over: no harm
		is.Equal(s.output(is, "echo fine"), "fine\n") // to anybody
	})
	t.Run("a file operation", func(t *testing.T) {
		is := is.New(t)
		call, err := s.ch.Start(&channel.Request{Op: wire.OpWrite, Args: &wire.Write{Path: []byte("half"), Mode: 0o644}})
		is.NoErr(err)
		_, err = call.Stream.Write([]byte("half of "))
		is.NoErr(err)
		call.Cancel(true)
		is.Equal(codeOf(call.Result(context.Background(), nil)), wire.CodeAborted)
		names, err := s.list(".")
		is.NoErr(err)
		is.True(!slices.ContainsFunc(names, func(i wire.FileInfo) bool {
			return string(i.Name) == "half" || bytes.HasPrefix(i.Name, []byte(".drydock"))
		})) // neither half a file nor its beginnings
	})
	is.Equal(len(childrenOf(s.pid)), 0) // nothing is left of any of them
}

type writerFunc func(p []byte) (int, error)

func (f writerFunc) Write(p []byte) (int, error) { return f(p) }

// A background child that fills the pipe whenever there is room does not hold the result.
func TestPumpTakesWhatIsThere(t *testing.T) {
	is := is.New(t)
	var fds [2]int
	is.NoErr(syscall.Pipe2(fds[:], syscall.O_CLOEXEC|syscall.O_NONBLOCK))
	f, child := os.NewFile(uintptr(fds[0]), "ours"), os.NewFile(uintptr(fds[1]), "the child's")
	var sent bytes.Buffer
	m := wire.NewMux(writerFunc(func(p []byte) (int, error) {
		if sent.Write(p); sent.Len() < 1000 {
			_, err := child.WriteString("later")
			is.NoErr(err)
		}
		return len(p), nil
	}))
	_, err := child.WriteString("before")
	is.NoErr(err)
	// As leaderGone does, and before the pump has read.
	is.NoErr(f.SetReadDeadline(time.Unix(1, 0)))
	p := newPump(f, m.Open(1, nil), nil, false)
	<-p.drained
	is.Equal(sent.Bytes(), wire.AppendFrame(nil, wire.KindData, 1, []byte("before"))) // no more than that
	is.NoErr(child.Close())
	eventually(is, func() bool {
		_, err := f.Stat()
		return errors.Is(err, os.ErrClosed)
	}) // the pump ends with the child
}

// That nobody has a terminal open is not its end while its command runs.
func TestTerminalOutOfUse(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	for _, test := range []struct{ name, script, out string }{
		{"closed at the end", "echo out; exec </dev/null >/dev/null 2>&1; sleep 0.3; exit 5", "out\r\n"},
		{"opened again", "echo out; exec </dev/null >/dev/null 2>&1; sleep 0.3; exec >/dev/tty; echo again; exit 5", "out\r\nagain\r\n"},
		{"opened again and again",
			"exec </dev/null >/dev/null 2>&1; for i in 1 2 3; do sleep 0.1; echo $i >/dev/tty; done; exit 5", "1\r\n2\r\n3\r\n"},
		{"written to right before the end", "exec </dev/null >/dev/null 2>&1; sleep 0.1; echo last >/dev/tty; exit 5", "last\r\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			x := sh(test.script)
			x.Terminal = &wire.Size{Rows: 24, Cols: 80}
			r, err := s.run(x)
			is.NoErr(err)
			is.Equal(r.Signal, 0) // no SIGHUP
			is.Equal(r.Code, 5)
			is.Equal(r.out, test.out)
		})
	}
}

func TestBackground(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	t.Run("does not hold the result", func(t *testing.T) {
		is := is.New(t)
		r, err := s.run(sh("sleep 100 & echo started"))
		is.NoErr(err)
		is.Equal(r.out, "started\n")
		is.Equal(r.Code, 0)
		is.True(r.Elapsed < int64(50*time.Second))
	})
	t.Run("is not killed by its output", func(t *testing.T) {
		is := is.New(t)
		wait := s.fifo(is, "late")
		is.NoErr(syscall.Mkfifo(s.path("go"), 0o600))
		is.NoErr(os.Chown(s.path("go"), s.uid, -1))
		r, err := s.run(sh(`exec 9>late; (read x <go; head -c 300000 /dev/zero; echo $? >&9) & echo first`))
		is.NoErr(err)
		is.Equal(r.out, "first\n")
		is.NoErr(os.WriteFile(s.path("go"), []byte("\n"), 0))
		is.Equal(wait(), "0\n")                       // it wrote more than a pipe holds, into nothing
		is.Equal(s.output(is, "echo next"), "next\n") // and into nobody else's output
	})
	t.Run("what was written before the end arrives", func(t *testing.T) {
		is := is.New(t)
		for range 20 {
			r, err := s.run(sh("sleep 100 & head -c 60000 /dev/zero; echo end"))
			is.NoErr(err)
			is.Equal(len(r.out), 60004) // what still stood in the pipe, too
		}
	})
	t.Run("orphans are reaped", func(t *testing.T) {
		is := is.New(t)
		wait := s.fifo(is, "orphans")
		s.output(is, `exec 9>orphans; for i in 1 2 3 4 5; do (setsid sh -c 'sh -c "sleep 0.02; echo \$PPID >&9" & ' &) ; done`)
		is.Equal(strings.Count(wait(), "\n"), 5) // they ran on
		eventually(is, func() bool {
			return !slices.ContainsFunc(childrenOf(s.pid), func(p procInfo) bool { return p.state == "Z" })
		}) // no zombie is left
	})
}

// signalled is every signal that a job of the same user can send, and the answer after it.
func signalled(is *is.I, s *session, target string, signals []int) {
	is.Helper()
	for _, n := range signals {
		// kill(1) and the shells know no number 32 or 33.
		r, err := s.run(command("perl", "-e", `kill($ARGV[0], $ARGV[1]) == 1 or die "kill: $!"`, strconv.Itoa(n), target))
		is.NoErr(err) // it still answers
		is.Equal(r.err, "")
		is.Equal(r.Code, 0)
	}
}

func TestSignalsToTheGuest(t *testing.T) {
	is := is.New(t)
	s := serve(t, is, sessionOptions{})
	if _, err := s.run(command("perl", "-e", "1")); err != nil {
		t.Skip("no perl")
	}
	var signals []int
	for n := 1; n <= 64; n++ {
		switch syscall.Signal(n) {
		case syscall.SIGKILL, syscall.SIGSTOP: // only a PID 1 is spared
		case 32, 33, 34: // kept by the runtime for libc: the same
		default:
			signals = append(signals, n)
		}
	}
	signalled(is, s, strconv.Itoa(s.pid), signals)
}

func TestSignalsToPID1(t *testing.T) {
	is := is.New(t)
	if os.Getuid() != 0 {
		t.Skip("a pid namespace takes root")
	}
	s := serve(t, is, sessionOptions{flags: syscall.CLONE_NEWPID})
	if _, err := s.run(command("perl", "-e", "1")); err != nil {
		t.Skip("no perl")
	}
	var signals []int
	for n := 1; n <= 64; n++ {
		signals = append(signals, n)
	}
	signalled(is, s, "1", signals)
	is.Equal(s.output(is, "echo $PPID"), "1\n") // it is PID 1
}
