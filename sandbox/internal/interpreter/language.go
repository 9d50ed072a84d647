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

// Language is how an interpreter is started and spoken to.
type Language struct {
	Program string   // where no path is given
	Args    []string // after the program
	Env     []string
	// Stdin: code goes to its stdin and not to its control socket.
	Stdin bool
	// Begins: it tells when the code begins. A signal before that would be lost.
	Begins bool
	// Boot is sent first.
	Boot func(mark string, svg bool) []byte
	// Run asks for a run of code.
	Run func(mark string, run uint32, code string) []byte
	// Ask asks for the report of a run, where a prompt came without one. Interrupt asks for
	// an interrupt beside the signal. Both may be nil.
	Ask       func(mark string, run uint32) []byte
	Interrupt func(run uint32) []byte
}

// Languages are those that there are, by name.
var Languages = map[string]*Language{
	"python": {
		Program: "python3",
		// The modules of the work dir, which comes first, are for the code.
		Args: []string{"-c", `import sys;sys.path[:1]==[""]and sys.path.pop(0);f=open(3,"rb",closefd=False);` +
			`exec(compile(f.read(int(f.readline())),"<drydock>","exec"),{"requests":f,"__name__":"drydock"})`},
		Begins: true,
		// Figures are drawn without a display, here and in the programs it starts.
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
	// A shell has no part of Drydock's inside. It is interactive, because only such a shell
	// lives on after an interrupt or a syntax error; it then drops what it has read of its
	// input, the report with it, and writes a prompt: that is the time to Ask.
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
			// The descriptors are not for the code, and its stdin is not where the next code comes from.
			b := fmt.Appendf(nil, "\\command printf '{\"begun\":%d}\\n' >&3; \\eval %s </dev/null 3>&- 8>&- 9>&-; ", run, quote(code))
			return appendReport(b, mark, run, false)
		},
		Ask: func(mark string, run uint32) []byte { return appendReport(nil, mark, run, true) },
	},
}

// boot is the source, preceded by its length, and the settings.
func boot(source, mark string, svg bool) []byte {
	settings, _ := json.Marshal(map[string]any{"mark": mark, "svg": svg})
	return fmt.Appendf(nil, "%d\n%s%s\n", len(source), source, settings)
}

func request(_ string, run uint32, code string) []byte {
	b, _ := json.Marshal(map[string]any{"run": run, "code": code})
	return append(b, '\n')
}

// appendReport appends the commands (with a backslash, so that an alias does not hold) that mark both streams and tell the last exit code.
func appendReport(b []byte, mark string, run uint32, asked bool) []byte {
	text := quote(string(AppendMark(nil, mark, run)))
	return fmt.Appendf(b, "{ \\command printf '{\"done\":%d,\"asked\":%t,\"exit\":%%d}\\n' \"$?\" >&3; "+
		"\\command printf %%s %[3]s >&8; \\command printf %%s %[3]s >&9; } 2>/dev/null\n", run, asked, text)
}

// quote makes one word of a shell's of text.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }
