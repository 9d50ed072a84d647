package sandbox_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
	"github.com/drydock-go/drydock/sandbox/internal/enginetest"
)

// The runtimes of Python and Node, or what stands in for their images.
var (
	python = sandbox.Options{Runtime: "python-minimal"}
	node   = sandbox.Options{Runtime: "node-minimal"}
)

// interpret starts an interpreter in a sandbox of its own.
func interpret(t *testing.T, is *is.I, in sandbox.Options, lang sandbox.Language, opts *sandbox.InterpreterOptions) (*sandbox.Sandbox, *sandbox.Interpreter) {
	t.Helper()
	is.Helper()
	sb := enginetest.Open(t, in)
	it, err := sb.Interpreter(context.Background(), lang, opts)
	is.NoErr(err)
	t.Cleanup(func() { is.NoErr(it.Close()) })
	return sb, it
}

type asserter = *is.I

// must runs code that is to end by itself.
func must(is *is.I, in *sandbox.Interpreter, code string) *sandbox.Execution {
	is.Helper()
	x, err := in.Run(context.Background(), code, &sandbox.ExecutionOptions{Timeout: time.Minute})
	is.NoErr(err)
	is.Equal(x.Outcome, sandbox.Exited)
	return x
}

// text is the text of the last display.
func text(x *sandbox.Execution) string {
	if len(x.Displays) == 0 {
		return ""
	}
	return string(x.Displays[len(x.Displays)-1].Data["text/plain"])
}

// Python keeps its state from run to run, and the host gets values, output and exceptions.
func TestPython(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	sb, in := interpret(t, is, python, sandbox.Python, nil)
	is.True(strings.HasPrefix(in.Version(), "Python 3."))

	t.Run("variables, output, the value", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "import sys\nx = [1]\nprint('out'); print('err', file=sys.stderr)\nx.append(2)\nx")
		is.Equal(string(x.Stdout), "out\n")
		is.Equal(string(x.Stderr), "err\n")
		is.Equal(text(x), "[1, 2]")
		is.True(x.Displays[0].Value)
		is.Equal(string(x.Displays[0].Data["application/json"]), "[1, 2]")
		is.Equal(text(must(is, in, "x.append(3); _, x")), "([1, 2, 3], [1, 2, 3])")
		x = must(is, in, "y = 1")
		is.Equal(len(x.Displays), 0)
		is.Equal(len(must(is, in, "x;").Displays), 0) // a semicolon at the end hides it
		is.Equal(text(must(is, in, "'ü\\udcff' + chr(0)")), `'ü\udcff\x00'`)
	})
	t.Run("an exception is data", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "def f(k):\n    return {}[k]\ntry:\n    f(1)\nexcept KeyError as e:\n    raise ValueError('no\\nway') from e")
		is.Equal(x.ExitCode, 1)
		e := x.Exception
		is.Equal(e.Name, "ValueError")
		is.Equal(e.Value, "no\nway")
		is.Equal(len(e.Traceback), 1)
		is.Equal(e.Traceback[0].Line, 6)
		is.True(strings.HasPrefix(e.Traceback[0].File, "<cell "))
		is.Equal(e.Traceback[0].Text, "raise ValueError('no\\nway') from e")
		is.True(strings.Contains(e.Text, "return {}[k]") && strings.Contains(e.Text, "direct cause")) // the cause with its lines
		is.True(!strings.Contains(e.Text, "drydock"))                                                 // nothing of ours

		x = must(is, in, "print('before'\n1")
		is.Equal(x.Exception.Name, "SyntaxError")
		is.Equal(x.Exception.Traceback[0].Line, 1)
		is.Equal(must(is, in, "def r(): return r()\nr()").Exception.Name, "RecursionError")
		is.Equal(must(is, in, "class B(Exception):\n  def __str__(self): raise self\nraise B").Exception.Name, "B")
		is.Equal(must(is, in, "class R:\n  def __repr__(self): return 1/0\nR()").Exception.Name, "ZeroDivisionError")
		x = must(is, in, "sys.exit('bye')")
		is.Equal(x.ExitCode, 1)
		is.True(x.Exception == nil && !x.StateLost)
		is.Equal(string(x.Stderr), "bye\n")
		is.Equal(text(must(is, in, "x")), "[1, 2, 3]") // still there
	})
	t.Run("an interrupt keeps the variables", func(t *testing.T) {
		for _, code := range []string{
			"while True: pass", "import time; time.sleep(1000)", "import subprocess; subprocess.run(['sleep', '1000'])",
			"import asyncio\nawait asyncio.sleep(1000)", "while True: display(1)", "while True: print('x' * 1000)",
			"class E:\n  def __repr__(self):\n    while True: pass\nE()",
		} {
			is := is.New(t)
			time.AfterFunc(200*time.Millisecond, func() { _ = in.Interrupt() })
			x, err := in.Run(ctx, "print('begun')\n"+code, nil)
			is.NoErr(err)
			is.Equal(x.Outcome, sandbox.Canceled)
			is.Equal(x.Rung, sandbox.RungInterrupt)
			is.True(!x.StateLost)
			is.True(x.Exception != nil && x.Exception.Name == "KeyboardInterrupt")
			is.True(bytes.HasPrefix(x.Stdout, []byte("begun\n"))) // what it wrote until then
			is.Equal(text(must(is, in, "x")), "[1, 2, 3]")
		}
		is.NoErr(in.Interrupt()) // with nothing to interrupt
		is.Equal(text(must(is, in, "x")), "[1, 2, 3]")
	})
	t.Run("an interrupt at any moment", func(t *testing.T) {
		is := is.New(t)
		must(is, in, "v = 0")
		for i := range 40 {
			time.AfterFunc(time.Duration(i)*25*time.Microsecond, func() { _ = in.Interrupt() })
			x, err := in.Run(ctx, "while True: v += 1", &sandbox.ExecutionOptions{Timeout: 300 * time.Millisecond})
			is.NoErr(err)
			is.Equal(x.Rung, sandbox.RungInterrupt)
			is.True(!x.StateLost)
		}
		x, err := in.Run(ctx, "while True: v += 1", &sandbox.ExecutionOptions{Timeout: 1})
		is.NoErr(err)
		is.Equal(x.Rung, sandbox.RungInterrupt)
		is.Equal(must(is, in, "v").ExitCode, 0)
	})
	t.Run("what awaited ends with its interrupt", func(t *testing.T) {
		is := is.New(t)
		x, err := in.Run(ctx, "import asyncio; n = 0\nwhile True:\n  await asyncio.sleep(0.001); n += 1", &sandbox.ExecutionOptions{Timeout: 200 * time.Millisecond})
		is.NoErr(err)
		is.True(x.Exception != nil)
		is.Equal(x.Exception.Name, "KeyboardInterrupt")
		is.Equal(text(must(is, in, "a = n; await asyncio.sleep(0.1); n - a")), "0")
	})
	t.Run("modules of the work dir", func(t *testing.T) {
		is := is.New(t)
		other := enginetest.Open(t, python)
		for _, name := range []string{"types", "json", "signal", "resource", "traceback", "asyncio", "__future__"} {
			_, err := other.WriteFile(ctx, name+".py", []byte("raise ImportError('shadowed')"), nil)
			is.NoErr(err)
		}
		_, err := other.WriteFile(ctx, "mine.py", []byte("x = 42"), nil)
		is.NoErr(err)
		in, err := other.Interpreter(ctx, sandbox.Python, nil)
		is.NoErr(err)
		is.Equal(text(must(is, in, "import mine; mine.x")), "42")
		is.Equal(must(is, in, "1/0").Exception.Name, "ZeroDivisionError")
		is.Equal(text(must(is, in, "async def f(): return 1\nawait f()")), "1")
	})
	t.Run("exceptions that cannot be shown", func(t *testing.T) {
		for _, code := range []string{
			"raise SyntaxError('x', ('f', 'abc', 1, 't'))", "raise SyntaxError('x', ('f', 10**30, 1, 't'))",
			"e = SyntaxError('x', ('f', 1, 1, 't')); e.text = 5; raise e",
			"class M(type):\n  __name__ = 5\nclass E(Exception, metaclass=M): pass\nraise E",
			"class S:\n  def __str__(self): raise ValueError\nimport sys; sys.exit(S())",
		} {
			is := is.New(t)
			x := must(is, in, code)
			is.Equal(x.ExitCode, 1)
			is.True(!x.StateLost)
		}
	})
	t.Run("its descriptors are out of the way", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "import os; os.closerange(3, 50); f = open('mine.txt', 'w'); f.write('x'); f.close(); open('mine.txt').read()")
		is.Equal(text(x), "'x'")
	})
	t.Run("a semicolon", func(t *testing.T) {
		is := is.New(t)
		is.Equal(text(must(is, in, "7  # not this;")), "7")
		is.Equal(text(must(is, in, "(8);")), "")
		is.Equal(text(must(is, in, "'ü', ';'")), "('ü', ';')")
	})
	t.Run("a callback that closes", func(t *testing.T) {
		is := is.New(t)
		other, err := sb.Interpreter(ctx, sandbox.Python, nil)
		is.NoErr(err)
		x, err := other.Run(ctx, "display(1); import time; time.sleep(100)", &sandbox.ExecutionOptions{Display: func(sandbox.Display) { _ = other.Close() }})
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.Canceled)
		is.True(x.StateLost)
	})
	t.Run("a timeout", func(t *testing.T) {
		is := is.New(t)
		x, err := in.Run(ctx, "while True: pass", &sandbox.ExecutionOptions{Timeout: 100 * time.Millisecond})
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.TimedOut)
		is.Equal(x.Rung, sandbox.RungInterrupt)
		is.True(x.Duration < 2*time.Second)
		ctx, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		x, err = in.Run(ctx, "while True: pass", nil)
		is.True(errors.Is(err, context.DeadlineExceeded))
		is.Equal(x.Outcome, sandbox.TimedOut)
		is.Equal(text(must(is, in, "x")), "[1, 2, 3]")
	})
	t.Run("what does not heed an interrupt is killed", func(t *testing.T) {
		is := is.New(t)
		x, err := in.Run(ctx, "import time\nwhile True:\n  try:\n    time.sleep(1000)\n  except KeyboardInterrupt: print('no')",
			&sandbox.ExecutionOptions{Timeout: 200 * time.Millisecond, Grace: 200 * time.Millisecond})
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.TimedOut)
		is.Equal(x.Rung, sandbox.RungKill)
		is.True(x.StateLost)
		is.Equal(string(x.Stdout), "no\n")
		is.Equal(must(is, in, "x").Exception.Name, "NameError") // in another interpreter
	})
	t.Run("its own end", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "import os; print('last'); os._exit(7)")
		is.Equal(x.ExitCode, 7)
		is.True(x.StateLost)
		x, err := in.Run(ctx, "import os; os.kill(os.getpid(), 11)", nil)
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.Signaled)
		is.Equal(x.Signal, "SIGSEGV")
		is.True(x.StateLost)
		is.True(!must(is, in, "import threading; threading.Timer(0.05, lambda: os._exit(3)).start(); import os").Restarted) // it was told
		time.Sleep(300 * time.Millisecond)
		x = must(is, in, "os")
		is.True(x.Restarted) // between two runs
		is.Equal(x.Exception.Name, "NameError")
		is.True(!must(is, in, "1").Restarted)
	})
	t.Run("out of memory", func(t *testing.T) {
		is := is.New(t)
		small := enginetest.Open(t, sandbox.Options{Runtime: python.Runtime, Memory: 64 << 20})
		in, err := small.Interpreter(ctx, sandbox.Python, nil)
		is.NoErr(err)
		x, err := in.Run(ctx, "print('begun', flush=True); x = b'x' * (1 << 30)", nil)
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.OutOfMemory)
		is.True(x.StateLost)
		is.Equal(string(x.Stdout), "begun\n")
		is.Equal(text(must(is, in, "6*7")), "42") // the sandbox lives
	})
	t.Run("restart and close", func(t *testing.T) {
		is := is.New(t)
		must(is, in, "kept = 1")
		is.NoErr(in.Restart(ctx))
		is.Equal(must(is, in, "kept").Exception.Name, "NameError")
		other, err := sb.Interpreter(ctx, sandbox.Python, nil)
		is.NoErr(err)
		time.AfterFunc(200*time.Millisecond, func() { _ = other.Close() })
		x, err := other.Run(ctx, "import time; time.sleep(1000)", nil)
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.Canceled)
		is.True(x.StateLost)
		_, err = other.Run(ctx, "1", nil)
		is.True(err != nil) // closed
		is.NoErr(other.Close())
		r, err := sb.Exec(ctx, "grep -l ^python[3] /proc/[0-9]*/cmdline | wc -l")
		is.NoErr(err)
		is.Equal(string(r.Stdout), "1\n") // nothing of it is left, and the other one lives
	})
	t.Run("one at a time", func(t *testing.T) {
		is := is.New(t)
		must(is, in, "n = 0")
		var wg sync.WaitGroup
		for range 20 {
			wg.Go(func() {
				x, err := in.Run(ctx, "m = n; import time; time.sleep(0.002); n = m + 1", nil)
				is.NoErr(err)
				is.Equal(x.ExitCode, 0)
			})
		}
		wg.Wait()
		is.Equal(text(must(is, in, "n")), "20")
	})
	t.Run("threads, forks and what is written between runs", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "import threading, time, os\ndef late():\n  time.sleep(0.2); print('late'); display('seen')\nthreading.Thread(target=late).start()\nprint('now')")
		is.Equal(string(x.Stdout), "now\n") // not held up
		time.Sleep(400 * time.Millisecond)
		is.Equal(string(must(is, in, "print('then')").Stdout), "late\nthen\n")
		x = must(is, in, "pid = os.fork()\nif pid == 0: print('child')\nelse: os.waitpid(pid, 0)\n'done'")
		is.Equal(string(x.Stdout), "child\n")
		is.Equal(len(x.Displays), 1) // a fork tells nothing of its own
		is.Equal(string(must(is, in, "os.system('echo one; echo two >&2')").Stdout), "one\n")
	})
	t.Run("streams of its own", func(t *testing.T) {
		is := is.New(t)
		var out, errs bytes.Buffer
		var seen []sandbox.Display
		x, err := in.Run(ctx, "import sys\nprint('a'); print('b', file=sys.stderr); display('c'); 'd'",
			&sandbox.ExecutionOptions{Stdout: &out, Stderr: &errs, Display: func(d sandbox.Display) { seen = append(seen, d) }})
		is.NoErr(err)
		is.Equal(out.String()+errs.String(), "a\nb\n")
		is.Equal(len(x.Stdout), 0)
		is.Equal(len(seen), 2)
		x, err = in.Run(ctx, "print('x' * 300000)", &sandbox.ExecutionOptions{Capture: 1000})
		is.NoErr(err)
		is.Equal(x.StdoutDropped, int64(299001))
		x = must(is, in, "os.close(1); os.close(2)") // the marks have another way
		is.Equal(x.ExitCode, 0)
		is.Equal(text(must(is, in, "3")), "3")
		is.NoErr(in.Restart(ctx))
		_, err = in.Run(ctx, "print('a')", &sandbox.ExecutionOptions{Stdout: writerFunc(func([]byte) (int, error) { return 0, io.ErrUnexpectedEOF })})
		is.True(errors.Is(err, io.ErrUnexpectedEOF)) // the writer's, and not the sandbox's
		is.True(sb.Alive())
	})
	t.Run("rich objects", func(t *testing.T) {
		is := is.New(t)
		x := must(is, in, "class T:\n  def _repr_html_(self): return '<b>t</b>'\n  def _repr_svg_(self): return '<svg/>'\n  def _repr_png_(self): return b'no png'\n  def _repr_jpeg_(self): raise ValueError\n  def __repr__(self): return 'T!'\nT()")
		d := x.Displays[0].Data
		is.Equal(string(d["text/html"]), "<b>t</b>")
		is.Equal(string(d["image/svg+xml"]), "<svg/>")
		is.Equal(string(d["text/plain"]), "T!")
		is.Equal(d["image/png"], nil) // it was none
		is.Equal(len(d), 3)
		x = must(is, in, "class Every:\n  def __getattr__(self, name): return lambda *a, **k: 'x'\nEvery()")
		is.Equal(len(x.Displays[0].Data), 1) // is asked nothing
		x = must(is, in, "for i in range(1200): display(i)")
		is.Equal(len(x.Displays), 1000)
		is.Equal(x.DisplaysDropped, 200)
	})
	t.Run("bad input", func(t *testing.T) {
		is := is.New(t)
		_, err := in.Run(ctx, "a\x00b", nil)
		is.Equal(codeOf(err), sandbox.CodeInvalid)
		_, err = in.Run(ctx, "1", &sandbox.ExecutionOptions{Timeout: -1})
		is.Equal(codeOf(err), sandbox.CodeInvalid)
		_, err = in.Run(ctx, strings.Repeat("#", 5<<20), nil)
		is.Equal(codeOf(err), sandbox.CodeTooLong)
		is.Equal(text(must(is, in, strings.Repeat("#\n", 1<<20)+"1")), "1") // 2 MiB
		x := must(is, in, "")
		is.Equal(x.ExitCode, 0)
		_, err = sb.Interpreter(ctx, "perl", nil)
		is.Equal(err.Error(), "start interpreter perl: there is no such language: write Python, Node or Shell")
		is.Equal(codeOf(err), sandbox.CodeInvalid)
		_, err = sb.Interpreter(ctx, sandbox.Node, nil)
		is.True(errors.Is(err, fs.ErrNotExist)) // this image has none
		_, err = sb.Interpreter(ctx, sandbox.Python, &sandbox.InterpreterOptions{Path: "/bin/cat"})
		is.True(strings.HasPrefix(err.Error(), "start interpreter python: "))
		is.True(strings.Contains(err.Error(), "before it could run code"))
		_, err = sb.Interpreter(ctx, sandbox.Python, &sandbox.InterpreterOptions{Dir: "/missing"})
		is.True(errors.Is(err, fs.ErrNotExist))
	})
	t.Run("hostile", func(t *testing.T) {
		is := is.New(t)
		forge := `import os, json
fd = next(int(f) for f in sorted(os.listdir('/proc/self/fd'), key=int, reverse=True) if 'socket' in os.readlink('/proc/self/fd/' + f))
def say(b): os.write(fd, b)
`
		x, err := in.Run(ctx, forge+`say(b'{"done":4294967295}\n{"display":{"image/png":"aGk="}}\n{"ready":"forged"}\n')`, nil)
		is.NoErr(err)
		is.True(x.ExitCode == 0 && !x.StateLost)
		version := in.Version()
		is.True(strings.HasPrefix(version, "Python 3."))
		x, err = in.Run(ctx, forge+`say(b'no json\n'); import time; time.sleep(100)`, nil)
		is.NoErr(err) // the end of that interpreter, no hang, and no fault of the sandbox's
		is.Equal(x.Outcome, sandbox.Signaled)
		is.Equal(x.Exception.Name, "InterpreterError")
		is.True(x.StateLost)
		is.Equal(text(must(is, in, "1")), "1")
	})
	t.Run("idle", func(t *testing.T) {
		is := is.New(t)
		time.Sleep(60 * time.Millisecond)
		is.True(sb.Idle() >= 50*time.Millisecond) // while no code runs
		time.AfterFunc(100*time.Millisecond, func() { is.Equal(sb.Idle(), time.Duration(0)) })
		must(is, in, "import time; time.sleep(0.3)")
	})
	t.Run("ends with the sandbox", func(t *testing.T) {
		is := is.New(t)
		other, lost := interpret(t, is, python, sandbox.Python, nil)
		time.AfterFunc(200*time.Millisecond, func() {
			_ = exec.Command(os.Getenv("DRYDOCK_TEST_ENGINE"), "kill", other.Name()).Run()
		})
		x, err := lost.Run(ctx, "import time; print('begun', flush=True); time.sleep(1000)", nil)
		is.True(errors.Is(err, sandbox.ErrLost))
		is.Equal(x.Outcome, sandbox.Lost)
		is.True(x.StateLost)
		is.Equal(string(x.Stdout), "begun\n")
		_, err = lost.Run(ctx, "1", nil)
		is.True(errors.Is(err, sandbox.ErrLost))
	})
}

func isPicture(is *is.I, d sandbox.Display) {
	is.Helper()
	picture, err := png.Decode(bytes.NewReader(d.Data["image/png"]))
	is.NoErr(err)
	is.True(picture.Bounds().Dx() > 100)
}

// Figures, tables and images come back in their MIME types.
func TestPythonFigures(t *testing.T) {
	is := is.New(t)
	sb := enginetest.Open(t, sandbox.Options{Runtime: "python-datascience"})
	in, err := sb.Interpreter(context.Background(), sandbox.Python, &sandbox.InterpreterOptions{SVG: true})
	is.NoErr(err)
	run := func(i asserter, code string) *sandbox.Execution {
		i.Helper()
		x := must(i, in, code)
		if x.Exception != nil {
			t.Log(x.Exception.Text)
		}
		i.Equal(x.ExitCode, 0)
		return x
	}
	t.Run("matplotlib", func(t *testing.T) {
		is := is.New(t)
		x := run(is, "import matplotlib.pyplot as plt\nplt.plot([1, 3, 2]);\nplt.title('curve');")
		is.Equal(len(x.Displays), 1) // of itself, at the end of the run
		isPicture(is, x.Displays[0])
		is.True(bytes.Contains(x.Displays[0].Data["image/svg+xml"], []byte("<svg")))
		x = run(is, "plt.plot([1, 2]); plt.show(); plt.plot([2, 1]); plt.show()")
		is.Equal(len(x.Displays), 2) // where it says so
		isPicture(is, x.Displays[1])
		x = run(is, "fig, ax = plt.subplots(); ax.bar(['a'], [1]); fig")
		is.Equal(len(x.Displays), 1) // once, though it is open as well
		is.True(x.Displays[0].Value)
		x = run(is, "import matplotlib; matplotlib.use('Agg'); plt.figure(); plt.hist([1, 1, 2]); fig.show(); plt.show()")
		is.Equal(len(x.Displays), 2)
		is.Equal(string(x.Stderr), "") // without a complaint that there is no display
		is.Equal(len(run(is, "1;").Displays), 0)
	})
	t.Run("pandas", func(t *testing.T) {
		is := is.New(t)
		x := run(is, "import pandas as pd\npd.DataFrame({'a': [1, 2]})")
		d := x.Displays[0].Data
		is.True(bytes.Contains(d["text/html"], []byte("<table")))
		is.Equal(string(d["text/plain"]), "   a\n0  1\n1  2")
	})
	t.Run("PIL", func(t *testing.T) {
		is := is.New(t)
		x := run(is, "from PIL import Image\nim = Image.new('RGB', (200, 50), 'red')\nim.show()\nim")
		is.Equal(len(x.Displays), 2)
		isPicture(is, x.Displays[0])
		isPicture(is, x.Displays[1])
	})
}

// Node keeps its state from run to run, and the host gets values, output and exceptions.
func TestNode(t *testing.T) {
	is := is.New(t)
	ctx := context.Background()
	_, in := interpret(t, is, node, sandbox.Node, nil)
	is.True(strings.HasPrefix(in.Version(), "Node.js v"))
	x := must(is, in, "const x = {a: [1]}; console.log('out'); console.error('err'); x")
	is.Equal(string(x.Stdout)+string(x.Stderr), "out\nerr\n")
	is.Equal(text(x), "{ a: [ 1 ] }")
	is.Equal(string(x.Displays[0].Data["application/json"]), `{"a":[1]}`)
	is.Equal(text(must(is, in, "const x = 7; let y = 1; x + y")), "8") // declared again
	is.Equal(text(must(is, in, "await new Promise(r => setTimeout(() => r(x), 10))")), "7")
	is.Equal(text(must(is, in, "require('path').join('a', 'b')")), "'a/b'")
	x = must(is, in, "function f(o) {\n  return o.x.y;\n}\nf({})")
	is.Equal(x.Exception.Name, "TypeError")
	is.Equal(x.Exception.Traceback[len(x.Exception.Traceback)-1], sandbox.Frame{File: x.Exception.Traceback[0].File, Line: 2, Function: "f"})
	is.True(!strings.Contains(x.Exception.Text, "drydock") && !strings.Contains(x.Exception.Text, "inspector"))
	is.Equal(must(is, in, "if (").Exception.Name, "SyntaxError")
	is.Equal(must(is, in, "throw 5").Exception.Value, "5")
	for _, code := range []string{"for (;;);", "await new Promise(() => {})", "({ [Symbol.for('nodejs.util.inspect.custom')]() { for (;;); } })"} {
		x, err := in.Run(ctx, code, &sandbox.ExecutionOptions{Timeout: 300 * time.Millisecond})
		is.NoErr(err)
		is.Equal(x.Outcome, sandbox.TimedOut)
		is.Equal(x.Rung, sandbox.RungInterrupt)
		is.Equal(x.Exception.Name, "Interrupted")
		is.Equal(text(must(is, in, "x")), "7") // kept
	}
	x, err := in.Run(ctx, "require('child_process').execSync('sleep 1000', {stdio: 'ignore'})", &sandbox.ExecutionOptions{Timeout: 300 * time.Millisecond})
	is.NoErr(err)
	is.Equal(x.Rung, sandbox.RungInterrupt) // what it waits for is interrupted, too
	x = must(is, in, "setTimeout(() => { throw new Error('late') }, 1); 0")
	time.Sleep(50 * time.Millisecond)
	is.True(strings.Contains(string(x.Stderr)+string(must(is, in, "0").Stderr), "Uncaught Error: late")) // and it lives on
	x = must(is, in, "process.exit(4)")
	is.Equal(x.ExitCode, 4)
	is.True(x.StateLost)
	is.True(x.Duration < time.Second)
	is.Equal(text(must(is, in, "typeof x")), "'undefined'")
}

// The shell keeps its state from run to run, and code that is wrong does not end it.
func TestShell(t *testing.T) {
	for _, image := range []string{enginetest.Busybox, "localhost/drydock/debian:bookworm"} {
		t.Run(image, func(t *testing.T) {
			is := is.New(t)
			ctx := context.Background()
			_, in := interpret(t, is, sandbox.Options{Image: image}, sandbox.Shell, nil)
			x := must(is, in, "x='a  b'; f() { echo \"f $1\"; }; cd /tmp; echo out; echo err >&2; false")
			is.Equal(string(x.Stdout), "out\n")
			is.Equal(string(x.Stderr), "err\n") // nothing of the shell's own
			is.Equal(x.ExitCode, 1)
			is.Equal(string(must(is, in, "echo \"$x\"; pwd; f 'it'\\''s'\n# a comment\necho \\\n end").Stdout), "a  b\n/tmp\nf it's\nend\n")
			x = must(is, in, "if")
			is.True(x.ExitCode != 0 && strings.Contains(strings.ToLower(string(x.Stderr)), "syntax error"))
			x = must(is, in, "echo ${missing?not set}")
			is.True(x.ExitCode != 0 && strings.Contains(string(x.Stderr), "not set"))
			is.Equal(string(must(is, in, "cat; echo $?").Stdout), "0\n") // stdin is empty
			for _, code := range []string{"sleep 1000", "while :; do :; done", "sh -c 'sleep 1000'; echo not", "exec 2>/dev/null; sleep 1000"} {
				x, err := in.Run(ctx, code, &sandbox.ExecutionOptions{Timeout: 200 * time.Millisecond})
				is.NoErr(err)
				is.Equal(x.Outcome, sandbox.TimedOut)
				is.Equal(x.Rung, sandbox.RungInterrupt)
				is.Equal(x.ExitCode, 130)
				is.Equal(string(x.Stdout), "")
				is.Equal(string(must(is, in, "echo \"$x\"").Stdout), "a  b\n") // kept
			}
			for i := range 20 {
				time.AfterFunc(time.Duration(i)*50*time.Microsecond, func() { _ = in.Interrupt() })
				x, err := in.Run(ctx, "sleep 1000", &sandbox.ExecutionOptions{Timeout: 500 * time.Millisecond})
				is.NoErr(err)
				is.Equal(x.Rung, sandbox.RungInterrupt)
			}
			is.Equal(string(must(is, in, "alias eval=echo command=echo; x=1").Stdout), "")
			is.Equal(string(must(is, in, "unalias -a; x='a  b'; echo \"$x\"").Stdout), "a  b\n")
			for i := range 100 { // each run with what is its own
				is.Equal(string(must(is, in, fmt.Sprint("echo ", i)).Stdout), fmt.Sprintln(i))
			}
			big := must(is, in, "y='"+strings.Repeat("z", 100_000)+"'; echo ${#y}")
			is.Equal(string(big.Stdout), "100000\n")
			x = must(is, in, "exit 5")
			is.Equal(x.ExitCode, 5)
			is.True(x.StateLost)
			is.Equal(string(must(is, in, "echo $x").Stdout), "\n")
		})
	}
}
