package tools

import (
	"context"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/drydock-go/drydock/sandbox"
)

// runCommand is replaced by tests, whose sandboxes have no commands.
var runCommand = (*sandbox.Command).Run

func executeTool(o *Options) Tool {
	longest := int(o.MaxTimeout / time.Second)
	usual := max(1, int(o.Timeout/time.Second))
	return Tool{
		Name: "execute", op: OpExecute, Destructive: true, run: (*call).execute,
		Description: fmt.Sprintf("Run a shell command (/bin/sh -c) in the sandbox and return what it writes to stdout and stderr, in that order, and its exit code where that is not 0. Each call is a shell of its own, without a terminal and with empty stdin: cd and variables do not last. A command is killed after timeout_seconds (%d unless given); start a server or another long one in the background with its output in a file: COMMAND >out.log 2>&1 &", usual),
		params: []param{
			{name: "command", kind: "string", about: "The command.", want: "the shell command", required: true, min: 1, max: 100_000},
			{name: "timeout_seconds", kind: "integer", about: "Seconds after which it is killed.", want: "the seconds", def: usual, min: 1, max: longest},
		},
	}
}

func (c *call) execute(ctx context.Context) (*Result, error) {
	command, seconds := c.args.str("command"), c.args.num("timeout_seconds")
	if strings.TrimSpace(command) == "" {
		return nil, stop(`parameter "command" has only white space in it: give the shell command as a string`)
	}
	if err := c.permitCommand(ctx, command); err != nil {
		return nil, err
	}
	out := &headTail{limit: c.o.MaxOutput - reserve}
	cmd := c.sb.Command("/bin/sh", "-c", command)
	cmd.Env, cmd.Dir = c.o.Env, c.o.Dir
	cmd.Stdout, cmd.Stderr = out, out // one writer keeps the order
	cmd.Timeout = time.Duration(seconds) * time.Second
	r, err := runCommand(cmd, ctx)
	if err != nil {
		e := (*sandbox.Error)(nil)
		if asError(err, &e) && r == nil {
			switch e.Code {
			case "command_not_found":
				return nil, stop("this sandbox has no /bin/sh: no command can be run")
			case "arguments_too_long":
				return nil, stop("the command is too long: write it to a file%s and run that", c.hint("write_file", " with write_file"))
			}
		}
		return nil, c.failure(ctx, "/bin/sh", err)
	}
	var p strings.Builder
	text := plain(out.String())
	if len(text) > out.limit+100 { // bytes that are no UTF-8 take three times the room
		again := &headTail{limit: out.limit, dropped: out.dropped}
		_, _ = again.Write([]byte(text))
		text, out = again.String(), again
	}
	if text != "" {
		p.WriteString(strings.TrimSuffix(text, "\n"))
		p.WriteByte('\n')
	} else {
		p.WriteString("(no output)\n")
	}
	if out.dropped > 0 {
		fmt.Fprintf(&p, "[%d bytes of output were dropped in the middle: write it to a file and %ssearch that, or let the command print less]\n", out.dropped, c.hint("read_file", "use read_file, or "))
	}
	if text := c.outcome(r, seconds); text != "" {
		fmt.Fprintf(&p, "[%s]\n", text)
	}
	return &Result{Text: strings.TrimSuffix(p.String(), "\n"), IsError: !r.OK(), JSON: structured(struct {
		Outcome  string `json:"outcome"`
		ExitCode int    `json:"exit_code"`
		Signal   string `json:"signal,omitempty"`
		Millis   int64  `json:"duration_ms"`
		Dropped  int64  `json:"dropped_bytes,omitempty"`
	}{string(r.Outcome), r.ExitCode, r.Signal, r.Duration.Milliseconds(), out.dropped})}, nil
}

// outcome says how a command ended where it did not exit with code 0.
func (c *call) outcome(r *sandbox.Result, seconds int) string {
	switch r.Outcome {
	case sandbox.Exited:
		switch r.ExitCode {
		case 0:
			return ""
		case 126:
			return "exit code 126: the program cannot be executed"
		case 127:
			return "exit code 127: a program was not found"
		case 137:
			return "exit code 137: a program was killed by SIGKILL, perhaps because memory ran out"
		}
		return fmt.Sprintf("exit code %d", r.ExitCode)
	case sandbox.Signaled:
		if r.Signal == "SIGKILL" {
			return "killed by SIGKILL, perhaps because memory ran out"
		}
		return "killed by " + r.Signal
	case sandbox.TimedOut:
		text := fmt.Sprintf("timed out after %d s and was killed: run it in the background, with COMMAND >out.log 2>&1 &", seconds)
		if most := int(c.o.MaxTimeout / time.Second); seconds < most {
			text += fmt.Sprintf(", or raise timeout_seconds up to %d", most)
		}
		return text
	}
	return "ended: " + string(r.Outcome)
}

// headTail keeps the first and the last half of what is written to it.
type headTail struct {
	limit   int
	head    []byte
	tail    []byte // at most twice what is kept of it
	dropped int64
}

func (h *headTail) Write(b []byte) (int, error) {
	n := len(b)
	if room := h.limit/2 - len(h.head); room > 0 {
		take := min(room, len(b))
		h.head, b = append(h.head, b[:take]...), b[take:]
	}
	keep := h.limit - h.limit/2
	if len(b) > keep {
		h.dropped += int64(len(h.tail) + len(b) - keep)
		h.tail = append(h.tail[:0], b[len(b)-keep:]...)
		return n, nil
	}
	if h.tail = append(h.tail, b...); len(h.tail) > 2*keep {
		h.dropped += int64(len(h.tail) - keep)
		h.tail = append(h.tail[:0], h.tail[len(h.tail)-keep:]...)
	}
	return n, nil
}

// String returns what was kept, and settles dropped. It cuts no character in two.
func (h *headTail) String() string {
	if over := len(h.tail) - (h.limit - h.limit/2); over > 0 {
		h.dropped += int64(over)
		h.tail = h.tail[over:]
	}
	if h.dropped == 0 {
		return string(h.head) + string(h.tail)
	}
	head, tail := h.head, h.tail
	for i := 1; i < utf8.UTFMax && i <= len(head); i++ {
		if start := len(head) - i; utf8.RuneStart(head[start]) {
			if !utf8.FullRune(head[start:]) {
				head = head[:start]
			}
			break
		}
	}
	for i := 0; i < utf8.UTFMax-1 && len(tail) > 0 && !utf8.RuneStart(tail[0]); i++ {
		tail = tail[1:]
	}
	h.dropped += int64(len(h.head) - len(head) + len(h.tail) - len(tail))
	h.head, h.tail = head, tail
	return fmt.Sprintf("%s\n[... %d bytes dropped ...]\n%s", head, h.dropped, tail)
}
