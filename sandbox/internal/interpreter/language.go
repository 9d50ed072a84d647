package interpreter

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"strings"
)

//go:embed python.py
var pythonSource string

//go:embed node.js
var nodeSource string

// Language says how an interpreter is started and asked for runs.
type Language struct {
	Program string   // if no path is given
	Args    []string // after the program
	Env     []string
	// Stdin says that code goes to its stdin and not to its control socket.
	Stdin bool
	// Begins says that it tells when the code begins. A signal before that would be lost.
	Begins bool
	// Boot returns the bytes that are sent first.
	Boot func(mark string, svg bool) []byte
	// Run returns the request for a run of code.
	Run func(mark string, run uint32, code string) []byte
	// Ask returns the request for the report of a run, for a prompt that came without one.
	// Interrupt returns the request for an interrupt that goes with the signal. Both may be nil.
	Ask       func(mark string, run uint32) []byte
	Interrupt func(run uint32) []byte
}

// Languages are the languages by name.
var Languages = map[string]*Language{
	"python": {
		Program: "python3",
		// Without the work dir, which comes first in the path: modules there are for the code.
		Args: []string{"-c", `import sys;sys.path[:1]==[""]and sys.path.pop(0);f=open(3,"rb",closefd=False);` +
			`exec(compile(f.read(int(f.readline())),"<drydock>","exec"),{"requests":f,"__name__":"drydock"})`},
		Begins: true,
		// matplotlib draws figures without a display, also in programs that the code starts.
		Env:  []string{"MPLBACKEND=agg"},
		Boot: func(mark string, svg bool) []byte { return boot(pythonSource, mark, svg) },
		Run:  request,
	},
	"node": {
		Program: "node",
		Args: []string{"-e", `const fs=require("fs");let h="",b=Buffer.alloc(1);for(;fs.readSync(3,b),b[0]!==10;)h+=b;` +
			`b=Buffer.alloc(+h);for(let n=0;n<b.length;)n+=fs.readSync(3,b,n,b.length-n,null);h=b+"";new Function("require","source",h)(require,h)`},
		Boot: func(mark string, svg bool) []byte { return boot(nodeSource, mark, svg) },
		Run:  request,
		Interrupt: func(run uint32) []byte {
			return fmt.Appendf(nil, "{\"interrupt\":%d}\n", run)
		},
	},
	// A shell runs without a program of Drydock's. It is interactive, because only such a shell
	// lives on after an interrupt or a syntax error. It then drops the input that it has read,
	// with the request for a report, and writes a prompt: that is the time to Ask.
	"sh": {
		Program: "/bin/sh",
		Args:    []string{"-i"},
		Env:     []string{"ENV=", "HISTFILE="},
		Stdin:   true,
		Begins:  true,
		Boot: func(mark string, _ bool) []byte {
			prompt := AppendMark(nil, mark, Prompt)
			return fmt.Appendf(nil, "PS1=%s PS2=; exec 8>&1 9>&2; printf '{\"ready\":\"sh\"}\\n' >&3\n", quote(string(prompt)))
		},
		Run: func(mark string, run uint32, code string) []byte {
			// The code gets neither the descriptors nor the stdin that the next code comes from.
			b := fmt.Appendf(nil, "\\command printf '{\"begun\":%d}\\n' >&3; \\eval %s </dev/null 3>&- 8>&- 9>&-; ", run, quote(code))
			return appendReport(b, mark, run, false)
		},
		Ask: func(mark string, run uint32) []byte { return appendReport(nil, mark, run, true) },
	},
}

// boot returns the source, with its length before it, and the settings.
func boot(source, mark string, svg bool) []byte {
	settings, _ := json.Marshal(map[string]any{"mark": mark, "svg": svg})
	return fmt.Appendf(nil, "%d\n%s%s\n", len(source), source, settings)
}

func request(_ string, run uint32, code string) []byte {
	b, _ := json.Marshal(map[string]any{"run": run, "code": code})
	return append(b, '\n')
}

// appendReport appends the commands that tell the last exit code and mark both streams. Each has
// a backslash, so that an alias of its name does not count.
func appendReport(b []byte, mark string, run uint32, asked bool) []byte {
	text := quote(string(AppendMark(nil, mark, run)))
	return fmt.Appendf(b, "{ \\command printf '{\"done\":%d,\"asked\":%t,\"exit\":%%d}\\n' \"$?\" >&3; "+
		"\\command printf %%s %[3]s >&8; \\command printf %%s %[3]s >&9; } 2>/dev/null\n", run, asked, text)
}

// quote returns text as one word of a shell command.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
