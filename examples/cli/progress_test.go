package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/drydock-go/drydock/sandbox/image"
	"github.com/matryer/is"
)

// someBuild shows a build that ends with err.
func someBuild(d *buildDisplay, err error) {
	p := image.Progress{Image: "runtime lab", Text: "pull debian:12"}
	d.show(p)
	p.Line = "Pulling from library/debian"
	d.show(p)
	p.Step, p.Steps, p.Text = 1, 2, "FROM debian:12"
	d.show(p)
	p.Step, p.Text, p.Line = 2, "setup: echo\n\x1b[2Ja "+strings.Repeat("x", 200), ""
	d.show(p)
	p.Line = "more of\tthe step"
	d.show(p)
	p.Line, p.Done, p.Err = "", true, err
	d.show(p)
}

func TestPlainProgress(t *testing.T) {
	const steps = "drydock: runtime lab: pull debian:12\n" +
		"drydock: runtime lab: [1/2] FROM debian:12\n"
	last := `drydock: runtime lab: [2/2] setup: echo \x1b[2Ja ` + strings.Repeat("x", 200)
	last = last[:137] + "...\n"
	const ready = "drydock: runtime lab is ready\n"
	for name, c := range map[string]struct {
		verbose bool
		err     error
		want    string
	}{
		"a line for each step":           {want: steps + last + ready},
		"the error is another's to tell": {err: errors.New("no space"), want: steps + last},
		"verbose": {verbose: true, want: "drydock: runtime lab: pull debian:12\n  Pulling from library/debian\n" +
			"drydock: runtime lab: [1/2] FROM debian:12\n" + last + "  more of the step\n" + ready},
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			var b strings.Builder
			d := &buildDisplay{w: &b, verbose: c.verbose}
			someBuild(d, c.err)
			d.close()
			is.Equal(b.String(), c.want)
		})
	}
}

// shown returns the lines that a terminal shows after text, without trailing spaces. It knows the
// sequences that a display writes, and fails on others.
func shown(t *testing.T, text string) []string {
	t.Helper()
	lines, row, column := [][]rune{nil}, 0, 0
	for text != "" {
		if m := regexp.MustCompile(`^\x1b\[(\??[0-9]*)([A-Za-z])`).FindStringSubmatch(text); m != nil {
			text = text[len(m[0]):]
			switch m[1] + m[2] {
			case "J":
				lines = lines[:row+1]
				fallthrough
			case "K":
				lines[row] = lines[row][:min(column, len(lines[row]))]
			case "A":
				row--
			case "2m", "0m", "?7l", "?7h":
			default:
				t.Fatalf("unexpected escape sequence %q", m[0])
			}
			continue
		}
		r := []rune(text)[0]
		text = text[len(string(r)):]
		switch {
		case r == '\r':
			column = 0
		case r == '\n':
			if row++; row == len(lines) {
				lines = append(lines, nil)
			}
			column = 0
		case r < ' ':
			t.Fatalf("unexpected escape sequence %q", r)
		default:
			for len(lines[row]) <= column {
				lines[row] = append(lines[row], ' ')
			}
			lines[row][column] = r
			column++
		}
	}
	var out []string
	for _, l := range lines {
		out = append(out, strings.TrimRight(string(l), " "))
	}
	return out
}

func TestDrawnProgress(t *testing.T) {
	is := is.New(t)
	var b strings.Builder
	d := &buildDisplay{w: &b, width: func() int { return 60 }}
	p := image.Progress{Image: "runtime lab", Step: 2, Steps: 11, Text: "apt: install " + strings.Repeat("git ", 30)}
	d.show(p)
	p.Line = "Get:1 \x1b[2Jhttp://mirror/debian " + strings.Repeat("é", 80)
	d.show(p)
	d.mu.Lock()
	d.begin = d.begin.Add(-75 * time.Second)
	d.draw()
	got := shown(t, b.String())
	d.mu.Unlock()
	is.Equal(got, []string{
		"drydock: runtime lab: [2/11] apt: install git gi... (1m15s)",
		`  Get:1 \x1b[2Jhttp://mirror/debian ` + strings.Repeat("é", 20) + "...",
	})
	p.Text, p.Line = "labels", ""
	d.show(p)
	d.mu.Lock()
	is.Equal(shown(t, b.String()), []string{"drydock: runtime lab: [2/11] labels (0s)", ""}) // nothing of the step before
	d.mu.Unlock()
	p.Done = true
	d.show(p)
	d.close()
	is.Equal(shown(t, b.String()), []string{"drydock: runtime lab is ready", ""})

	b.Reset()
	d.show(image.Progress{Image: "runtime lab", Text: "pull debian:12"})
	d.close()
	d.close()
	is.Equal(shown(t, b.String()), []string{""})              // erased, although the pull reported no end
	is.True(!strings.Contains(b.String(), "\x1b[2m"))         // no attribute if none is wanted
	is.Equal(strings.Count(b.String(), "\x1b[?7h") > 0, true) // lines wrap again
}

// slowRuntime is a file with a runtime of this test's own, whose build takes a while, and
// the arguments that name both. Its images are removed after the test.
func slowRuntime(t *testing.T, command string) (name, file string) {
	t.Helper()
	name = fmt.Sprintf("cli-%d-%d", os.Getpid(), time.Now().UnixNano()%1e6)
	file = filepath.Join(t.TempDir(), "lab.yaml")
	text := fmt.Sprintf("runtimes:\n  %s:\n    base_image: %s\n    setup_commands: [%q]\n", name, busybox, command+" # "+name)
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	removeImages(t, name)
	return name, file
}
