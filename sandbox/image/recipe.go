package image

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"
)

// Recipe is an image to build: a Dockerfile, and the files that it copies.
type Recipe struct {
	Tag   string // the name that the image gets
	Title string // in words, for Progress and errors: "snapshot before-upgrade"
	Steps []Step
	Files []File
	// NoCache uses no layer of an earlier build.
	NoCache bool
}

// Step is one instruction of a Dockerfile, and its meaning in words for people.
type Step struct{ Instruction, Text string }

// Labels is the step that sets labels.
func Labels(labels map[string]string) Step { return Step{"LABEL " + labelPairs(labels), "labels"} }

// File is a file of a build context.
type File struct {
	Name string
	Mode int64
	Size int64     // bytes, which Data must have
	Data io.Reader // is read once
}

func file(name string, mode int64, data []byte) File {
	return File{name, mode, int64(len(data)), bytes.NewReader(data)}
}

// writeContext writes the archive that the builder is given.
func (p *Recipe) writeContext(w io.Writer) error {
	var dockerfile bytes.Buffer
	for _, s := range p.Steps {
		fmt.Fprintln(&dockerfile, s.Instruction)
	}
	tw := tar.NewWriter(w)
	for _, f := range append([]File{file("Dockerfile", 0o644, dockerfile.Bytes())}, p.Files...) {
		// The time is fixed, because the legacy builder's cache looks at it.
		h := &tar.Header{Name: f.Name, Mode: f.Mode, Size: f.Size, ModTime: time.Unix(0, 0)}
		if err := tw.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(tw, f.Data); err != nil {
			return err
		}
	}
	return tw.Close()
}

// labelPairs are labels as a LABEL instruction takes them.
func labelPairs(labels map[string]string) string {
	var pairs []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		pairs = append(pairs, key+"="+quote(labels[key]))
	}
	return strings.Join(pairs, " ")
}

// jsonForm is the form of a RUN that is executed as it stands.
func jsonForm(args []string) string {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	// Strings always encode.
	_ = e.Encode(args)
	return strings.TrimSpace(b.String())
}

// quote keeps the builder from expanding a value.
func quote(value string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, `$`, `\$`).Replace(value) + `"`
}
