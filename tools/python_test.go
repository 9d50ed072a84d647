package tools

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestPython(t *testing.T) {
	result := func(o sandbox.Outcome, code int, rung sandbox.Rung) sandbox.Result {
		return sandbox.Result{Outcome: o, ExitCode: code, Rung: rung}
	}
	png := picture(t, "image/png")
	const lost = "; Python has ended with its variables: the next call starts it anew, so import and define again what you need"
	for _, test := range []struct {
		name   string
		prints string
		left   sandbox.Execution
		want   string
		err    bool
	}{
		{"nothing", "", sandbox.Execution{}, "(no output)", false},
		{"output", "a\nb\n", sandbox.Execution{}, "a\nb", false},
		{"value", "", sandbox.Execution{Displays: []sandbox.Display{value(showing("text/plain", "2"))}}, "2", false},
		{"output and value", "a", sandbox.Execution{Displays: []sandbox.Display{value(showing("text/plain", "'x\\n'"))}}, "a\n'x\\n'", false},
		{"table", "", sandbox.Execution{Displays: []sandbox.Display{showing("text/plain", "   n\n0  1", "text/html", "<table>")}}, "   n\n0  1", false},
		{"HTML alone", "", sandbox.Execution{Displays: []sandbox.Display{showing("text/html", "<b>")}}, "<b>", false},
		{"JSON alone", "", sandbox.Execution{Displays: []sandbox.Display{showing("application/json", `{"a":1}`)}}, `{"a":1}`, false},
		{"markdown", "", sandbox.Execution{Displays: []sandbox.Display{showing("text/markdown", "# a", "text/html", "<h1>")}}, "# a", false},
		{"SVG alone", "", sandbox.Execution{Displays: []sandbox.Display{showing("image/svg+xml", "<svg>")}}, "[an SVG image, which cannot be shown: draw it as PNG]", false},
		{"figure", "x\n", sandbox.Execution{Displays: []sandbox.Display{showing("text/plain", "<Figure>", "image/png", png)}},
			fmt.Sprintf("x\n[image 1: image/png, %d bytes, 3 x 2 pixels]", len(png)), false},
		{"damaged figure", "", sandbox.Execution{Displays: []sandbox.Display{showing("image/png", png[:20])}}, "[an image that is damaged (unexpected EOF)]", false},
		{"no figure", "", sandbox.Execution{Displays: []sandbox.Display{showing("image/png", "x"), showing("image/png", "")}}, "[an image that is damaged]\n[an image that is damaged]", false},
		{"large figure", "", sandbox.Execution{Displays: []sandbox.Display{showing("image/png", png+strings.Repeat("\x00", maxImage))}},
			fmt.Sprintf("[an image of %d bytes, which is more than the 3932160 that can be shown: make it smaller]", len(png)+maxImage), false},
		{"displays dropped", "", sandbox.Execution{DisplaysDropped: 2}, "(no output)\n[2 displays were dropped: show less at once]", false},
		{"exception", "a\n", sandbox.Execution{Result: result(sandbox.Exited, 1, sandbox.RungNone), Exception: &sandbox.Exception{Name: "KeyError", Value: "'x'", Text: "Traceback (most recent call last):\n\x1b[31mKeyError\x1b[0m: 'x'\n"}},
			"a\nTraceback (most recent call last):\nKeyError: 'x'", true},
		{"interrupted by the timeout", "a", sandbox.Execution{Result: result(sandbox.TimedOut, 1, sandbox.RungInterrupt), Exception: &sandbox.Exception{Name: "KeyboardInterrupt", Text: "KeyboardInterrupt"}},
			"a\nKeyboardInterrupt\n[timed out after 120 s and was interrupted; variables and imports are kept; do less at once, run it as a program with start_job, or raise timeout_seconds up to 600]", true},
		{"killed by the timeout", "", sandbox.Execution{Result: result(sandbox.TimedOut, -1, sandbox.RungKill), StateLost: true},
			"(no output)\n[timed out after 120 s and was killed" + lost + "; do less at once, run it as a program with start_job, or raise timeout_seconds up to 600]", true},
		{"interrupted", "", sandbox.Execution{Result: result(sandbox.Canceled, 1, sandbox.RungInterrupt)}, "(no output)\n[interrupted; variables and imports are kept]", true},
		{"exits", "", sandbox.Execution{Result: result(sandbox.Exited, 3, sandbox.RungNone), StateLost: true}, "(no output)\n[exit code 3" + lost + "]", true},
		{"exits well", "", sandbox.Execution{StateLost: true}, "(no output)\n[exit code 0" + lost + "]", false},
		{"memory", "", sandbox.Execution{Result: result(sandbox.OutOfMemory, 137, sandbox.RungNone), StateLost: true}, "(no output)\n[killed because the memory of the sandbox ran out" + lost + "]", true},
		{"escapes", "\x1b[2J\x1b]0;t\x07\xff", sandbox.Execution{Displays: []sandbox.Display{showing("text/plain", "\x1b[1mx")}}, "\uFFFD\nx", false},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			sb := NewFake(nil)
			sb.Python = Prints(test.prints, test.left)
			r := use(t, newSet(t, sb, nil), "python", object{"code": "x"})
			is.Equal(r.Text, test.want)
			is.Equal(r.IsError, test.err)
		})
	}
}

func TestPythonJSON(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	png := picture(t, "image/png")
	sb.Python = Prints("", sandbox.Execution{
		Result:    sandbox.Result{Outcome: sandbox.Exited, ExitCode: 1, Duration: 2 * time.Second},
		Displays:  []sandbox.Display{showing("image/png", png), value(showing("text/plain", "t", "text/html", "<table>")), showing("text/html", strings.Repeat("x", maxHTML))},
		Exception: &sandbox.Exception{Name: "ValueError", Value: "bad", Text: "ValueError: bad"},
	})
	r := use(t, newSet(t, sb, &Options{Permissions: Permissive(), MaxOutput: 1000}), "python", object{"code": "x"})
	is.Equal(r.Images, []Image{{MediaType: "image/png", Data: []byte(png)}})
	is.True(len(r.Text) <= 1000)
	var v struct {
		Displays []displayEntry
	}
	is.NoErr(json.Unmarshal(r.JSON, &v))
	is.Equal(v.Displays[0], displayEntry{Image: "image/png", Width: 3, Height: 2})
	is.Equal(v.Displays[1], displayEntry{Value: true, Text: "t", HTML: "<table>"})
	is.Equal(v.Displays[2].HTML, "") // more than there is room for
	is.Equal(fields(t, r, "outcome", "exit_code", "state_lost", "duration_ms", "exception"),
		"outcome=exited exit_code=1 state_lost=false duration_ms=2000 exception=map[name:ValueError value:bad]")
}

// One interpreter serves all calls, and results say when its variables are gone.
func TestPythonState(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	var got *sandbox.ExecutionOptions
	ok := Prints("ok", sandbox.Execution{})
	sb.Python = func(ctx context.Context, code string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		got = o
		return ok(ctx, code, o)
	}
	s := newSet(t, sb, nil)
	is.Equal(sb.python.starts, 0)
	for range 2 {
		is.Equal(use(t, s, "python", object{"code": "x", "timeout_seconds": 7}).Text, "ok")
	}
	is.Equal(sb.python.starts, 1)
	is.Equal(got.Timeout, 7*time.Second)

	r := use(t, s, "python", object{"restart": true})
	is.Equal(r.Text, "Python was started anew: there are no variables")
	is.Equal(sb.python.restarts, 1)
	const anew = "[Python was started anew before this: variables and imports of earlier calls are gone]\nok"
	is.Equal(use(t, s, "python", object{"code": "x"}).Text, "ok")
	is.Equal(use(t, s, "python", object{"code": "x", "restart": true}).Text, anew)
	is.Equal(use(t, s, "python", object{"code": "x"}).Text, "ok")

	sb.Python = Prints("", sandbox.Execution{StateLost: true})
	use(t, s, "python", object{"code": "exit()"})
	sb.Python = ok
	is.Equal(use(t, s, "python", object{"code": "x"}).Text, anew)
	is.Equal(use(t, s, "python", object{"code": "x"}).Text, "ok")
	sb.Python = Prints("", sandbox.Execution{Restarted: true}) // it ended between two calls
	is.Equal(use(t, s, "python", object{"code": "x"}).Text, strings.TrimSuffix(anew, "ok")+"(no output)")
	sb.Python = ok

	is.NoErr(s.Close())
	is.NoErr(s.Close())
	is.Equal(sb.python.closes, 1)
	_, err := s.Call(context.Background(), "python", json.RawMessage(`{"code":"1"}`))
	is.True(err != nil)
	is.Equal(use(t, s, "ls", object{}).Text, "(empty directory)")
	is.NoErr(newSet(t, sb, nil).Close()) // nothing was started
}

// Calls wait for each other; Close does not wait for one.
func TestPythonConcurrent(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	var inside, maxInside atomic.Int32
	begun, closed := make(chan struct{}, 8), make(chan struct{})
	sb.Python = func(ctx context.Context, code string, o *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		if n := inside.Add(1); n > maxInside.Load() {
			maxInside.Store(n)
		}
		defer inside.Add(-1)
		begun <- struct{}{}
		<-closed
		return &sandbox.Execution{Result: sandbox.Result{Outcome: sandbox.Canceled, ExitCode: -1}, StateLost: true}, nil
	}
	s := newSet(t, sb, nil)
	first := make(chan *Result)
	go func() { first <- use(t, s, "python", object{"code": "x"}) }()
	<-begun
	ctx, cancel := context.WithCancelCause(context.Background())
	cause := errors.New("enough")
	time.AfterFunc(5*time.Millisecond, func() { cancel(cause) })
	_, err := s.Call(ctx, "python", json.RawMessage(`{"code":"y"}`))
	is.Equal(err, cause)
	is.NoErr(s.Close())
	close(closed)
	is.True(strings.HasPrefix((<-first).Text, "(no output)\n[interrupted; "))
	is.Equal(maxInside.Load(), int32(1))
	is.Equal(len(s.locks), 0)
}

func TestPythonFailures(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	r := use(t, s, "python", object{"code": "1"})
	is.Equal(r.Text, "this sandbox has no python3: python cannot be used here; use execute with the shell and the programs that there are")
	is.True(r.IsError)
	for _, args := range []object{{}, {"code": " \n"}} {
		r = use(t, s, "python", args)
		is.Equal(r.Text, `parameter "code" is missing or has only white space in it: give Python code as a string`)
		is.True(r.IsError)
	}
	sb.Python = func(context.Context, string, *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
		return nil, &sandbox.Error{Op: "start interpreter", Name: "python", Err: errors.New("the interpreter ended before it could run code: exit code 1")}
	}
	r = use(t, s, "python", object{"code": "1"})
	is.Equal(r.Text, "Python failed: start interpreter python: the interpreter ended before it could run code: exit code 1; call python again with restart, or find out with execute what is wrong with python3")
	is.True(r.IsError)
	for _, broken := range []error{sandbox.ErrLost, sandbox.ErrClosed, sandbox.ErrEngine} {
		sb.Python = func(context.Context, string, *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
			return &sandbox.Execution{StateLost: true}, &sandbox.Error{Op: "run code", Err: broken}
		}
		_, err := s.Call(context.Background(), "python", json.RawMessage(`{"code":"1"}`))
		is.True(errors.Is(err, broken))
	}
}

// Code is judged as the command python3 -c CODE, and the rules cannot judge what that runs.
func TestPythonPermissions(t *testing.T) {
	execute := func(def Action, rules ...Rule) *Permissions {
		for i := range rules {
			if rules[i].Operation == "" {
				rules[i].Operation = OpExecute
			}
		}
		return &Permissions{Default: def, Rules: rules}
	}
	const code = "import os\nos.remove('a b')"
	for _, test := range []struct {
		name        string
		permissions *Permissions
		want        Action
		reason      string
		there       bool // in a Set with somebody to ask
		alone       bool // in a Set with nobody to ask
	}{
		{"default", Default(), Ask, "", true, false},
		{"permissive", Permissive(), Allow, "", true, true},
		{"read-only", ReadOnly(), Deny, "", false, false},
		{"strict", Strict(), Ask, "", true, false},
		{"denied", execute(Allow, Rule{Action: Deny}), Deny, "", false, false},
		{"all denied", execute(Allow, Rule{Operation: OpAny, Action: Deny}), Deny, "", false, false},
		{"asked", execute(Allow, Rule{Action: Ask}), Ask, "", true, false},
		{"only git", execute(Deny, Rule{Pattern: "git *", Action: Allow}), Deny, "", false, false},
		{"only git, or ask", execute(Ask, Rule{Pattern: "git *", Action: Allow}), Ask, "", true, false},
		{"only git and make, asked", execute(Deny, Rule{Pattern: "git *", Action: Ask}, Rule{Pattern: "make", Action: Allow}), Deny, "", false, false},
		{"only a program", execute(Deny, Rule{Pattern: "python3 a.py", Action: Allow}), Deny, "", false, false},
		{"only modules", execute(Deny, Rule{Pattern: "python3 -m *", Action: Allow}), Deny, "", false, false},
		{"another Python", execute(Deny, Rule{Pattern: "python *", Action: Allow}), Deny, "", false, false},
		{"any program with options", execute(Deny, Rule{Pattern: "* -c *", Action: Allow}), Deny, "the rules cannot judge what python3 runs", false, false},
		{"python", execute(Deny, Rule{Pattern: "python3 *", Action: Allow}), Allow, "", true, true},
		{"python -c", execute(Deny, Rule{Pattern: "python3 -c *", Action: Allow}), Allow, "", true, true},
		{"asked about python", execute(Deny, Rule{Pattern: "python3 *", Action: Ask}), Ask, "", true, false},
		{"code that imports", execute(Deny, Rule{Pattern: "python3 -c import*", Action: Allow}), Allow, "", true, true},
		{"code that prints", execute(Deny, Rule{Pattern: "python3 -c print*", Action: Allow}), Deny, "", true, true},
		{"no rm", execute(Allow, Rule{Pattern: "rm *", Action: Deny}), Ask, "the rules cannot judge what python3 runs", true, false},
		{"no rm, all else", execute(Ask, Rule{Pattern: "rm *", Action: Deny}, Rule{Action: Allow}), Ask, "the rules cannot judge what python3 runs", true, false},
		{"no python3", execute(Allow, Rule{Pattern: "python3 *", Action: Deny}), Deny, "", false, false},
		{"no python by its other name", execute(Allow, Rule{Pattern: "python *", Action: Deny}), Deny, "", true, false},
		{"no python by its path", execute(Allow, Rule{Pattern: "/usr/bin/python3 *", Action: Deny}), Ask, "the rules cannot judge what python3 runs", true, false},
		{"ask about python by its other name", execute(Deny, Rule{Pattern: "python *", Action: Ask}, Rule{Pattern: "python3 *", Action: Allow}), Ask, "", true, true},
		{"no remove", execute(Deny, Rule{Pattern: "* * *remove*", Action: Deny}, Rule{Pattern: "python3 *", Action: Allow}), Deny, "", true, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			p, err := compile(test.permissions)
			is.NoErr(err)
			got, reason := p.python(code)
			is.Equal(got, test.want)
			is.Equal(reason, test.reason)

			var asked []Request
			ran := 0
			sb := NewFake(nil)
			sb.Python = func(context.Context, string, *sandbox.ExecutionOptions) (*sandbox.Execution, error) {
				ran++
				return &sandbox.Execution{Result: stopped0}, nil
			}
			with := newSet(t, sb, &Options{Permissions: test.permissions, Ask: func(_ context.Context, r Request) (Decision, error) {
				asked = append(asked, r)
				return Decision{}, nil
			}})
			alone := newSet(t, sb, &Options{Permissions: test.permissions})
			is.Equal(with.tool("python") != nil, test.there)
			is.Equal(alone.tool("python") != nil, test.alone)
			r := use(t, with, "python", object{"code": code})
			is.Equal(r.IsError, test.want != Allow)
			is.Equal(len(asked) == 1, test.want == Ask)
			if test.want == Ask { // and sees the code, both ways
				is.Equal(asked[0].Tool, "python")
				is.Equal(asked[0].Operation, OpExecute)
				is.Equal(asked[0].Command, "python3 -c 'import os\nos.remove('\\''a b'\\'')'")
				var args struct{ Code string }
				is.NoErr(json.Unmarshal(asked[0].Args, &args))
				is.Equal(args.Code, code)
			}
			is.Equal(use(t, alone, "python", object{"code": code}).IsError, test.want != Allow)
			is.Equal(ran > 0, test.want == Allow)
			// It is never more than the same code by execute.
			command, _, _ := p.command("python3 -c " + quote(code))
			is.Equal(stricter(command, got), got)
			// Nor does restart start Python if no code may run.
			starts := sb.python.starts
			if none, _ := p.python(""); none != Allow {
				is.True(use(t, alone, "python", object{"restart": true}).IsError)
				is.Equal(sb.python.starts, starts)
			}
		})
	}
}

// Always is for this code, and neither for other code nor for a command.
func TestPythonAlways(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	sb.Python = Prints("ok", sandbox.Execution{})
	asked, answer := 0, Decision{Allow: true, Always: true}
	s := newSet(t, sb, &Options{Ask: func(context.Context, Request) (Decision, error) {
		asked++
		return answer, nil
	}})
	use(t, s, "python", object{"code": "x"})
	answer = Decision{Reason: "no more"}
	is.Equal(use(t, s, "python", object{"code": "x", "timeout_seconds": 1}).Text, "ok")
	is.Equal(asked, 1)
	is.Equal(use(t, s, "python", object{"code": "x "}).Text, "permission denied: this code was refused by the user, who says: no more")
	is.True(use(t, s, "execute", object{"command": "python3 -c 'x'"}).IsError)
	is.True(use(t, s, "python", object{"restart": true}).IsError)
	is.Equal(asked, 4)
}
