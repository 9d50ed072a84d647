package main

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"
	"sync"
	"unicode/utf8"
)

const (
	// maxCode is the maximum length of code in bytes; Linux takes 128 KiB as one argument.
	maxCode = 100_000
	// maxOutput is the maximum output of a command in bytes. A command that writes more is ended.
	maxOutput = 8 << 20
)

// commands run code of a language. Python finds modules in the work dir and does not buffer its
// output.
var commands = map[string][]string{
	"python": {"python3", "-u", "-c"},
	"sh":     {"sh", "-c"},
}

// errOutputLimit ends a command that writes more than maxOutput.
var errOutputLimit = errors.New("output limit exceeded")

// outputLimit is the outcome of such a command; all other outcomes are those of package sandbox.
const outputLimit = "output_limit"

// chunk is a line of the response with a part of the output: Data if it is UTF-8, else Base64.
type chunk struct {
	Stream string `json:"stream"`
	Data   string `json:"data,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
}

// end is the last line of the response.
type end struct {
	Outcome    string `json:"outcome"`
	ExitCode   int    `json:"exit_code"` // -1 if there is none
	Signal     string `json:"signal,omitempty"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
}

// run runs code and sends its output as it comes.
func (s *service) run(w http.ResponseWriter, r *http.Request, name string) error {
	args, err := parseRun(w, r)
	if err != nil {
		return err
	}
	// The command ends with the request, so a client that goes away ends it.
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	sb, err := s.manager.Get(ctx, name, nil)
	if err != nil {
		return err
	}
	out := &output{w: w, control: http.NewResponseController(w), remaining: maxOutput, cancel: cancel}
	stdout, stderr := &pipe{to: out, name: "stdout"}, &pipe{to: out, name: "stderr"}
	cmd := sb.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Timeout = stdout, stderr, s.timeout
	result, err := cmd.Run(ctx)
	if result == nil {
		return err // the command did not start, so nothing was sent
	}
	last := &end{
		Outcome: string(result.Outcome), ExitCode: result.ExitCode, Signal: result.Signal,
		DurationMS: result.Duration.Milliseconds(),
	}
	switch {
	case errors.Is(err, errOutputLimit):
		last.Outcome = outputLimit
		last.Error = "the command wrote more than 8 MiB and was ended; write to a file and download it"
	case err != nil:
		last.Error = describe(err).text
	}
	stdout.flush()
	stderr.flush()
	out.send(last)
	return nil
}

// parseRun reads the request and returns the command line.
func parseRun(w http.ResponseWriter, r *http.Request) ([]string, error) {
	// A form on another site can send any other type without a preflight request.
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, text: "send Content-Type: application/json"}
	}
	// The server notices that the client goes away only after the whole body was read.
	// A byte of code takes up to six in JSON.
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, 6*maxCode+1000))
	if err != nil {
		return nil, bodyError(err)
	}
	var in struct{ Language, Code string }
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, &refusal{status: http.StatusBadRequest, text: `send {"language":"python","code":"..."}: ` + err.Error()}
	}
	command, ok := commands[in.Language]
	switch {
	case !ok:
		return nil, &refusal{status: http.StatusBadRequest, text: "language: write python or sh"}
	case len(in.Code) > maxCode:
		return nil, &refusal{status: http.StatusRequestEntityTooLarge, text: "the code is longer than 100,000 bytes; upload it as a file and run that"}
	case strings.Contains(in.Code, "\x00"):
		return nil, &refusal{status: http.StatusBadRequest, text: "the code has a NUL byte"}
	}
	return append(command[:len(command):len(command)], in.Code), nil
}

// bodyError returns the error for a body that could not be read.
func bodyError(err error) error {
	if _, tooLarge := errors.AsType[*http.MaxBytesError](err); tooLarge {
		return err
	}
	return &refusal{status: http.StatusBadRequest, text: "the body could not be read"}
}

// output sends lines of JSON to the client. Its two pipes are written to concurrently.
type output struct {
	cancel context.CancelCauseFunc // ends the command

	mu        sync.Mutex
	w         http.ResponseWriter
	control   *http.ResponseController
	begun     bool
	remaining int   // bytes of output that may still be sent
	err       error // of the first failed write
}

func (o *output) send(line any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.sendLocked(line)
}

// sendLocked sends a line at once. If the client does not take it, the command is ended.
func (o *output) sendLocked(line any) error {
	if o.err != nil {
		return o.err
	}
	if !o.begun {
		o.w.Header().Set("Content-Type", "application/x-ndjson")
		o.begun = true
	}
	if o.err = json.NewEncoder(o.w).Encode(line); o.err == nil {
		o.err = o.control.Flush()
	}
	if o.err != nil {
		o.cancel(o.err)
	}
	return o.err
}

// pipe is one stream of the command.
type pipe struct {
	to   *output
	name string
	rest []byte // the first bytes of a character whose last bytes have not come yet
}

func (p *pipe) Write(b []byte) (int, error) {
	p.to.mu.Lock()
	defer p.to.mu.Unlock()
	n := min(len(b), p.to.remaining)
	p.to.remaining -= n
	pending := append(p.rest, b[:n]...)
	complete := len(pending) - partial(pending)
	p.rest = append([]byte(nil), pending[complete:]...)
	if err := p.sendLocked(pending[:complete]); err != nil {
		return 0, err
	}
	if n < len(b) {
		p.to.cancel(errOutputLimit)
		return n, errOutputLimit
	}
	return n, nil
}

// flush sends the first bytes of a character that was never completed.
func (p *pipe) flush() {
	p.to.mu.Lock()
	defer p.to.mu.Unlock()
	_ = p.sendLocked(p.rest)
	p.rest = nil
}

func (p *pipe) sendLocked(b []byte) error {
	switch {
	case len(b) == 0:
		return p.to.err
	case utf8.Valid(b):
		return p.to.sendLocked(&chunk{Stream: p.name, Data: string(b)})
	}
	return p.to.sendLocked(&chunk{Stream: p.name, Base64: b})
}

// partial returns the number of bytes at the end of b that begin an incomplete character.
func partial(b []byte) int {
	for n := 1; n < utf8.UTFMax && n <= len(b); n++ {
		if tail := b[len(b)-n:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return n
			}
			break
		}
	}
	return 0
}
