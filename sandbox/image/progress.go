package image

import (
	"bytes"
	"regexp"
	"strconv"

	"github.com/drydock-go/drydock/sandbox/internal/printable"
)

// Progress is one thing that happened while an image was pulled or built.
type Progress struct {
	// Image is the image in words: "runtime python-datascience", "image debian:12".
	Image string
	// Step of Steps is under way; both are 0 while the number is not known. The steps of a
	// pull are its layers, and Step counts those that are complete.
	Step, Steps int
	// Text describes the step in words: "apt: install git curl".
	Text string
	// Line is a line of the builder's output, without terminal escapes, or empty.
	Line string
	// Done is set on the last event; Err is then why it failed, or nil.
	Done bool
	Err  error
}

// progress turns a builder's output into events.
type progress struct {
	now  Progress
	tell func(Progress)
	hide func(string) string // masks passwords; or nil
	// maxSecret is the length in bytes of the longest password that hide masks.
	maxSecret int
	steps     []Step // of the Dockerfile
	line      []byte // that has not ended

	instruction string          // of the step under way
	last        []string        // lines that the step printed
	layers      map[string]bool // of the pull under way: whether each is complete
}

func newProgress(image string, tell func(Progress)) *progress {
	if tell == nil {
		tell = func(Progress) {}
	}
	return &progress{now: Progress{Image: image}, tell: tell}
}

// say begins a stage that is no step of the build.
func (p *progress) say(text string) {
	p.now.Text, p.now.Step, p.now.Steps, p.layers = text, 0, 0, nil
	p.tell(p.now)
}

// pull begins a pull, whose output tells of layers.
func (p *progress) pull(image string) {
	p.say("pull " + image)
	p.layers = make(map[string]bool)
}

// The lines of a pull about a layer. Those of docker have no byte counts if stdout is no
// terminal. podman prints when it begins a layer, and when all are done.
var (
	layerLine  = regexp.MustCompile(`^([0-9a-f]{12}): (Pulling fs layer|Waiting|Already exists|Download complete|Pull complete)`)
	blobLine   = regexp.MustCompile(`^Copying blob (?:sha256:)?([0-9a-f]{12,64})( done| skipped)?`)
	configLine = regexp.MustCompile(`^Copying config `)
)

// layer counts a line about a layer, and reports whether it was one.
func (p *progress) layer(text string) bool {
	if m := layerLine.FindStringSubmatch(text); m != nil {
		p.layers[m[1]] = p.layers[m[1]] || m[2] == "Already exists" || m[2] == "Pull complete"
	} else if m := blobLine.FindStringSubmatch(text); m != nil {
		p.layers[m[1]] = p.layers[m[1]] || m[2] != ""
	} else if configLine.MatchString(text) {
		for id := range p.layers {
			p.layers[id] = true
		}
	} else {
		return false
	}
	there := 0
	for _, done := range p.layers {
		if done {
			there++
		}
	}
	changed := p.now.Step != there || p.now.Steps != len(p.layers)
	p.now.Step, p.now.Steps = there, len(p.layers)
	if changed {
		p.tell(p.now)
	}
	return true
}

func (p *progress) done(err error) {
	if len(p.line) > 0 {
		p.take(p.line)
	}
	p.now.Line, p.now.Done, p.now.Err = "", true, err
	p.tell(p.now)
}

// Write takes the builder's output. A carriage return ends a line as well: package
// managers draw their progress with it.
func (p *progress) Write(b []byte) (int, error) {
	n := len(b)
	for {
		i := bytes.IndexAny(b, "\r\n")
		if i < 0 {
			break
		}
		p.line = append(p.line, b[:i]...)
		p.take(p.line)
		p.line = p.line[:0]
		b = b[i+1:]
	}
	const maxLine = 4 << 10
	p.line = append(p.line, b...)
	for len(p.line) > maxLine+p.maxSecret {
		// The end may be the beginning of a password, which could not be masked yet.
		if p.hide != nil {
			p.line = []byte(p.hide(string(p.line)))
		}
		cut := min(maxLine, len(p.line)-p.maxSecret)
		if cut <= 0 {
			break // so much was masked
		}
		p.take(p.line[:cut])
		p.line = append(p.line[:0], p.line[cut:]...)
	}
	return n, nil
}

// The line that begins a step. The legacy builder and podman number all steps; BuildKit numbers
// those of each stage, after a number of its own.
var (
	stepLine     = regexp.MustCompile(`^(?i:step) (\d+)/(\d+) ?: (.*)$`)
	buildkitLine = regexp.MustCompile(`^#\d+ \[\s*(?:\S+ )?(\d+)/(\d+)\] (.*)$`)
)

func (p *progress) take(line []byte) {
	hide := p.hide
	if hide == nil {
		hide = func(text string) string { return text }
	}
	// Before the text is cut, and after escapes within a password are gone.
	text := hide(printable.Line([]byte(hide(string(line)))))
	if text == "" {
		return
	}
	if p.layers != nil && p.layer(text) {
		return
	}
	m := stepLine.FindStringSubmatch(text)
	if m == nil {
		m = buildkitLine.FindStringSubmatch(text)
	}
	if m != nil {
		p.now.Step, _ = strconv.Atoi(m[1])
		p.now.Steps, _ = strconv.Atoi(m[2])
		p.now.Text, p.instruction, p.last = m[3], m[3], nil
		for _, s := range p.steps {
			if s.Instruction == m[3] {
				p.now.Text = s.Text
			}
		}
		p.tell(p.now)
		return
	}
	if p.last = append(p.last, text); len(p.last) > lastLines {
		p.last = p.last[1:]
	}
	event := p.now
	event.Line = text
	p.tell(event)
}

// lastLines bounds the lines of a step in an error.
const lastLines = 20

// failed makes the error of a build from the engine's.
func (p *progress) failed(err error) error {
	if len(p.line) > 0 {
		p.take(p.line)
		p.line = nil
	}
	return &BuildError{Image: p.now.Image, Step: p.now.Step, Steps: p.now.Steps, Text: p.now.Text,
		Instruction: p.instruction, Lines: p.last, Err: err}
}
