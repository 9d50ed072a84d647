//go:build unix

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/creack/pty"
	"github.com/matryer/is"
	"golang.org/x/term"
)

// terminal is a program on a terminal of its own, with somebody who types and reads.
type terminal struct {
	t        *testing.T
	cmd      *exec.Cmd
	tty, pty *os.File
	before   *term.State

	mu   sync.Mutex
	text string // what it has written and nobody has waited for
	all  string
}

// onTerminal starts the program on a terminal of 24 lines and 80 columns.
func onTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &terminal{t: t, cmd: cmd}
	var err error
	s.pty, s.tty, err = pty.Open()
	must(err)
	t.Cleanup(func() { s.tty.Close(); s.pty.Close() })
	must(pty.Setsize(s.pty, &pty.Winsize{Rows: 24, Cols: 80}))
	s.before, err = term.GetState(int(s.tty.Fd()))
	must(err)
	cmd.Env = append(cmd.Env, "TERM=xterm")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = s.tty, s.tty, s.tty
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	must(cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	go func() {
		buf := make([]byte, 4096)
		for {
			n, err := s.pty.Read(buf)
			s.mu.Lock()
			s.text += string(buf[:n])
			s.all += string(buf[:n])
			s.mu.Unlock()
			if err != nil {
				return
			}
		}
	}()
	return s
}

// screen is all that the program has written.
func (s *terminal) screen() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.all
}

// see waits until the program has written text that matches pattern, after what was seen
// before, and returns it.
func (s *terminal) see(pattern string) string {
	s.t.Helper()
	re := regexp.MustCompile(pattern)
	// The first wait may be for the build of an image.
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		s.mu.Lock()
		text := s.text
		at := re.FindStringIndex(text)
		if at != nil {
			s.text = text[at[1]:]
		}
		s.mu.Unlock()
		if at != nil {
			return text[at[0]:at[1]]
		}
		if time.Now().After(deadline) {
			s.t.Fatalf("still waiting for %q: %q", pattern, text)
		}
	}
}

func (s *terminal) send(text string) {
	s.t.Helper()
	if _, err := s.pty.WriteString(text); err != nil {
		s.t.Fatal(err)
	}
}

// raw reports whether the terminal is not as it was.
func (s *terminal) raw() bool {
	s.t.Helper()
	now, err := term.GetState(int(s.tty.Fd()))
	if err != nil {
		s.t.Fatal(err)
	}
	return fmt.Sprint(*now) != fmt.Sprint(*s.before)
}

// end waits for the program's end and returns its exit code. The terminal has to be as it
// was, and no container left.
func (s *terminal) end() int {
	s.t.Helper()
	done := make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(time.Minute):
		s.t.Fatal("the program does not end")
	}
	is := is.New(s.t)
	is.Helper()
	is.True(!s.raw()) // the terminal is as it was
	gone(s.t, s.cmd.Process.Pid)
	s.t.Logf("%q\nexit %d, screen %.2000q", s.cmd.Args[1:], s.cmd.ProcessState.ExitCode(), s.screen())
	return s.cmd.ProcessState.ExitCode()
}

func TestTerminalShell(t *testing.T) {
	is := is.New(t)
	const prompt = `\$ (\x1b\[6n)?$` // it asks where the cursor is
	s := onTerminal(t, sandboxed(t, "-it", "--", "sh"))
	s.see(prompt)
	is.True(s.raw()) // else what comes proves nothing
	s.send("echo $TERM $((40+2)); stty size\r")
	s.see(`xterm 42\r\n24 80\r\n`)
	is.NoErr(pty.Setsize(s.pty, &pty.Winsize{Rows: 30, Cols: 100}))
	s.send("until [ \"$(stty size)\" = '30 100' ]; do sleep 0.05; done; echo as lar''ge\r")
	s.see(`as large`)
	s.send("echo g''o; sleep 100\r")
	s.see(`go\r\n`)
	s.send("\x03")
	s.see(prompt)
	s.send("echo al''ive; exit 7\r")
	s.see(`alive`)
	is.Equal(s.end(), 7) // its own code
}

func TestTerminalPrograms(t *testing.T) {
	for name, c := range map[string]struct{ command, drawn, keys string }{
		"top": {"top", `PID +PPID`, "q"},
		"vi":  {"vi file", `~\r?\n?.*~`, ":q!\r"},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := onTerminal(t, sandboxed(t, append([]string{"-t", "--"}, strings.Fields(c.command)...)...))
			s.see(c.drawn)
			s.send(c.keys)
			is.Equal(s.end(), 0) // it quit
		})
	}
}

func TestTerminalPython(t *testing.T) {
	is := is.New(t)
	s := onTerminal(t, program(t, "run", "-t", "--engine", testEngine(t), "--", "python3", "-i"))
	s.see(`>>> $`)
	s.send("x = 40\rx + 2\r")
	s.see(`\n42\r\n`)
	s.send("import time; print('g' + 'o'); time.sleep(100)\r")
	s.see(`go\r\n`)
	s.send("\x03")
	s.see(`KeyboardInterrupt\r\n>>> `)
	s.send("exit(x)\r")
	is.Equal(s.end(), 40) // the variables lived on
}

func TestTerminalTimeout(t *testing.T) {
	is := is.New(t)
	s := onTerminal(t, sandboxed(t, "-t", "--timeout", "1s", "--", "vi", "file"))
	s.see(regexp.QuoteMeta(enterAlternate))
	s.see(`drydock: timed out after 1s\r\n`)
	is.Equal(s.end(), 124)                                              // as without a terminal
	is.True(strings.Contains(s.screen(), leaveAlternate+resetSequence)) // what vi could not undo
}

func TestTerminalSignals(t *testing.T) {
	for name, c := range map[string]struct {
		script  string
		signals []syscall.Signal
		code    int
	}{
		"SIGTERM": {"echo begun; sleep 100", []syscall.Signal{syscall.SIGTERM}, 143},
		"SIGHUP":  {"echo begun; sleep 100", []syscall.Signal{syscall.SIGHUP}, 129},
		"SIGINT":  {"echo begun; sleep 100", []syscall.Signal{syscall.SIGINT}, 130},
		"SIGQUIT": {"echo begun; sleep 100", []syscall.Signal{syscall.SIGQUIT}, 131},
		"twice":   {"trap '' TERM; echo begun; while :; do sleep 1; done", []syscall.Signal{syscall.SIGTERM, syscall.SIGHUP}, 129},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			s := onTerminal(t, sandboxed(t, "-t", "--", "sh", "-c", c.script))
			s.see(`begun\r\n`)
			is.True(s.raw()) // else what comes proves nothing
			begin := time.Now()
			for i, signal := range c.signals {
				time.Sleep(time.Duration(i) * 200 * time.Millisecond) // the first one is seen first
				is.NoErr(s.cmd.Process.Signal(signal))
			}
			is.Equal(s.end(), c.code) // 128 and the signal
			is.True(len(c.signals) == 1 || time.Since(begin) < 10*time.Second)
		})
	}
	t.Run("SIGKILL", func(t *testing.T) {
		is := is.New(t)
		s := onTerminal(t, sandboxed(t, "-t", "--", "sh", "-c", "echo begun; setsid sleep 100 & sleep 100"))
		s.see(`begun\r\n`)
		is.Equal(len(containersOf(t, s.cmd.Process.Pid)), 1) // else its absence would prove nothing
		is.NoErr(s.cmd.Process.Kill())
		gone(t, s.cmd.Process.Pid)
	})
}

func TestTerminalBuild(t *testing.T) {
	is := is.New(t)
	name, file := slowRuntime(t, "echo the last line; sleep 2")
	s := onTerminal(t, program(t, "build", "--engine", testEngine(t), "--runtimes", file, name))
	s.see(`\[5/9\] setup: echo the.*\.\.\. \(0s\)`)
	s.see(`\x1b\[2m  the last line`) // the builder's, dimmed
	s.see(`\([1-9]s\)`)              // the time goes on
	s.see(`drydock: runtime \S+ is ready\r\n`)
	s.see(`built +`)
	is.Equal(s.end(), 0)
	screen := shown(t, s.screen())
	is.Equal(len(screen), 4) // nothing is left of the block
	is.Equal(screen[0], "drydock: runtime "+name+" is ready")

	name, file = slowRuntime(t, "echo why not; sleep 1; false")
	cmd := program(t, "build", "--engine", testEngine(t), "--runtimes", file, name)
	cmd.Env = append(cmd.Env, "NO_COLOR=1")
	s = onTerminal(t, cmd)
	s.see(`  why not`)
	is.Equal(s.end(), 125)
	is.True(!strings.Contains(s.screen(), "\x1b[2m"))
	screen = shown(t, s.screen())
	is.True(strings.HasPrefix(screen[0], "NAME")) // no rest of the block
}

func TestTerminalRefused(t *testing.T) {
	is := is.New(t)
	s := onTerminal(t, sandboxed(t, "-t", "--", "nope"))
	s.see(`command not found`)
	is.Equal(s.end(), 127) // as without a terminal
}

// pythonOn is drydock python with args on the engine of the tests.
func pythonOn(t *testing.T, args ...string) *exec.Cmd {
	t.Helper()
	cmd := program(t, append([]string{"python", "--engine", testEngine(t)}, args...)...)
	cmd.Dir = t.TempDir()
	return cmd
}

// pixel is a program that shows an image.
const pixel = `
import base64
class P:
    def __repr__(self): return "P\x1b[2J"
    def _repr_png_(self):
        return base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNkYPhfDwAChwGA60e6kgAAAABJRU5ErkJggg==")
`

func TestPythonPrompt(t *testing.T) {
	is := is.New(t)
	cmd := pythonOn(t, "-i", "-c", pixel)
	s := onTerminal(t, cmd)
	s.see(`Python 3\.[0-9.]+ in a sandbox.*\r\n`)
	prompt := func() { t.Helper(); s.see(`>>> (\x1b\[\?2004h)?$`) }
	prompt()
	is.True(s.raw()) // while a line is edited
	s.send("x = 4\x7f40\rx + 2\r")
	s.see(`42\r\n`)
	prompt()
	s.send("for i in range(2):\r")
	s.see(`\.\.\. `)
	s.send("\tprint('n', i)\r\r")
	s.see(`n 0\r\nn 1\r\n`)
	s.send("\x1b[200~def f():\r    a = 1\r\r    return a\r\r\x1b[201~f()\r") // pasted, but for Enter
	s.see(`l1\r\n`)                                                          // after the end of bracketed paste
	prompt()
	s.send("P()\r")
	s.see(`saved out/figure-1\.png\r\n`)
	s.see(`P\\x1b\[2J\r\n`)
	prompt()
	s.send("print('\\033[?25l', end='')\r")
	s.see(regexp.QuoteMeta(resetSequence))
	prompt()
	s.send("import time; print('g' + 'o'); time.sleep(100)\r")
	s.see(`go\r\n`)
	is.True(!s.raw()) // so that Ctrl-C is a signal
	s.send("\x03")
	s.see(`KeyboardInterrupt\r\n`)
	prompt()
	s.send("x, 'kept'\r")
	s.see(`\(40, 'kept'\)`)
	prompt()
	s.send("dropped (\x03")
	prompt()
	s.send("1/0\r")
	s.see(`ZeroDivisionError: division by zero\r\n`)
	prompt()
	s.send("\x04")
	is.Equal(s.end(), 0) // what was raised at the prompt is past
	data, err := os.ReadFile(filepath.Join(cmd.Dir, "out", "figure-1.png"))
	is.NoErr(err)
	is.True(strings.HasPrefix(string(data), "\x89PNG")) // the image
}

func TestPythonPromptEnds(t *testing.T) {
	is := is.New(t)
	s := onTerminal(t, pythonOn(t))
	s.see(`>>> `)
	s.send("exit(3)\r")
	is.Equal(s.end(), 3) // the code asked for

	s = onTerminal(t, pythonOn(t))
	s.see(`>>> `)
	is.NoErr(s.cmd.Process.Signal(syscall.SIGTERM))
	is.Equal(s.end(), 143) // 128 and the signal

	s = onTerminal(t, pythonOn(t))
	s.see(`>>> `)
	s.send("import time\rtry: print('g' + 'o'); time.sleep(100)\rexcept KeyboardInterrupt: print('n' + 'o'); time.sleep(100)\r\r")
	s.see(`go\r\n`)
	s.send("\x03")
	s.see(`no\r\n`)
	s.send("\x03")
	s.see(`Traceback|variables are gone`)
	s.see(`>>> `)
	s.send("\x04")
	is.Equal(s.end(), 0) // it went on
}
