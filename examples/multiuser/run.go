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
	// maxCode is how long code may be in bytes; Linux takes 128 KiB as one argument.
	maxCode = 100_000
	// maxOutput is how many bytes a command may write. It is ended when it writes more.
	maxOutput = 8 << 20
)

// commands run a text of a language. Python looks for modules in the work dir and writes at
// once.
var commands = map[string][]string{
	"python": {"python3", "-u", "-c"},
	"sh":     {"sh", "-c"},
}

// errOutputLimit ends a command that writes more than maxOutput.
var errOutputLimit = errors.New("more output than is shown")

// outputLimit is the outcome of such a command; the others are those of package sandbox.
const outputLimit = "output_limit"

// chunk is a line of the response with a part of the output: Data where it is UTF-8, else
// Base64.
type chunk struct {
	Stream string `json:"stream"`
	Data   string `json:"data,omitempty"`
	Base64 []byte `json:"base64,omitempty"`
}

// end is the last line of the response.
type end struct {
	Outcome    string `json:"outcome"`
	ExitCode   int    `json:"exit_code"` // -1 where there is none
	Signal     string `json:"signal,omitempty"`
	DurationMS int64  `json:"duration_ms"`
	Error      string `json:"error,omitempty"`
}

// run runs code and sends what it writes as it comes.
func (s *service) run(w http.ResponseWriter, r *http.Request, name string) error {
	args, err := parseRun(w, r)
	if err != nil {
		return err
	}
	// It ends with the request: a client that goes away ends the command.
	ctx, cancel := context.WithCancelCause(r.Context())
	defer cancel(nil)
	sb, err := s.manager.Get(ctx, name, nil)
	if err != nil {
		return err
	}
	out := &output{w: w, control: http.NewResponseController(w), left: maxOutput, cancel: cancel}
	stdout, stderr := &pipe{to: out, name: "stdout"}, &pipe{to: out, name: "stderr"}
	cmd := sb.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr, cmd.Timeout = stdout, stderr, s.timeout
	result, err := cmd.Run(ctx)
	if result == nil {
		return err // it did not start, so nothing was sent
	}
	last := &end{
		Outcome: string(result.Outcome), ExitCode: result.ExitCode, Signal: result.Signal,
		DurationMS: result.Duration.Milliseconds(),
	}
	switch {
	case errors.Is(err, errOutputLimit):
		last.Outcome = outputLimit
		last.Error = "the command wrote more than is shown, and was ended"
	case err != nil:
		last.Error = describe(err).text
	}
	stdout.flush()
	stderr.flush()
	out.send(last)
	return nil
}

// parseRun reads the request and returns the command.
func parseRun(w http.ResponseWriter, r *http.Request) ([]string, error) {
	// A form of another site can send any other type without asking.
	if t, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || t != "application/json" {
		return nil, &refusal{status: http.StatusUnsupportedMediaType, text: "send Content-Type: application/json"}
	}
	// All of the body has to be read for the server to notice that the client goes away.
	// In JSON a byte of code takes up to six.
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

// bodyError is the error of a body that could not be read.
func bodyError(err error) error {
	if tooLong := (*http.MaxBytesError)(nil); errors.As(err, &tooLong) {
		return err
	}
	return &refusal{status: http.StatusBadRequest, text: "the body could not be read"}
}

// output sends lines of JSON to the client. Its pipes are written to at the same time.
type output struct {
	cancel context.CancelCauseFunc // ends the command

	mu      sync.Mutex
	w       http.ResponseWriter
	control *http.ResponseController
	begun   bool
	left    int   // bytes of output that may still be sent
	err     error // of the first write that failed
}

func (o *output) send(line any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	_ = o.sendLocked(line)
}

// sendLocked sends a line at once. A client that does not take it loses its command.
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
	rest []byte // the beginning of a character whose end has not come yet
}

func (p *pipe) Write(b []byte) (int, error) {
	p.to.mu.Lock()
	defer p.to.mu.Unlock()
	n := min(len(b), p.to.left)
	p.to.left -= n
	whole := append(p.rest, b[:n]...)
	cut := len(whole) - partial(whole)
	p.rest = append([]byte(nil), whole[cut:]...)
	if err := p.sendLocked(whole[:cut]); err != nil {
		return 0, err
	}
	if n < len(b) {
		p.to.cancel(errOutputLimit)
		return n, errOutputLimit
	}
	return n, nil
}

// flush sends the beginning of a character that had no end.
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

// partial returns how many bytes at the end of b begin a character that more could complete.
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
