//go:build linux

package guest

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// readLines sends lines of a file. It reads the whole file, to count and hash it.
func (c *call) readLines(m *wire.ReadLines) (last []byte, v any, err error) {
	f, _, err := openRegular(c.s.abs(string(m.Path)))
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	r := &wire.LinesRead{First: m.First}
	sum := sha256.New()
	in := bufio.NewReaderSize(f, 64<<10)
	text := []byte{}
	begins := true // the next piece is the beginning of a line
	for {
		piece, err := in.ReadSlice('\n')
		if len(piece) > 0 {
			if begins {
				r.Total++
			}
			sum.Write(piece)
			r.Size += int64(len(piece))
			wanted := r.Total >= m.First && (m.Count == 0 || r.Total < m.First+m.Count)
			if wanted && !r.Cut {
				n := min(len(piece), m.Max-len(text))
				if n > 0 && begins {
					r.Count++
				}
				text = append(text, piece[:n]...)
				r.Cut = n < len(piece)
			}
			begins = piece[len(piece)-1] == '\n'
		}
		if err == io.EOF {
			break
		}
		if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
			return nil, nil, err
		}
		if c.aborted() {
			return nil, nil, errAborted
		}
	}
	r.Hash = hex.EncodeToString(sum.Sum(nil))
	if len(text) <= wire.MaxData {
		return text, r, nil
	}
	_, err = c.stream.Write(text)
	return nil, r, err
}

// edit replaces a text in a file.
func (c *call) edit(m *wire.Edit) (any, error) {
	return c.multiEdit(&wire.MultiEdit{Path: m.Path, IfHash: m.IfHash, Max: m.Max,
		Edits: []wire.Replace{{Old: m.Old, New: m.New, All: m.All}}})
}

// multiEdit replaces texts in a file, each in the result of the one before, or none of them.
// One call at a time reads and writes.
func (c *call) multiEdit(m *wire.MultiEdit) (any, error) {
	c.s.editing.Lock()
	defer c.s.editing.Unlock()
	path := c.s.abs(string(m.Path))
	f, info, err := openRegular(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, m.Max+1))
	if err != nil {
		return nil, err
	}
	if int64(len(text)) > m.Max {
		return nil, tooLarge(path, info.Size(), m.Max)
	}
	if m.IfHash != "" && m.IfHash != hash(text) {
		return nil, wire.Errorf(wire.CodeChanged, "%s has changed since it was read", path)
	}
	r := &wire.Edited{}
	for i := range m.Edits {
		e := &m.Edits[i]
		n, line, after, err := replaceText(e, path, text, m.Max)
		if err != nil && len(m.Edits) > 1 {
			err = describe(fmt.Sprintf("edit %d of %d", i+1, len(m.Edits)), err)
		}
		if err != nil {
			return nil, err
		}
		if i == 0 {
			r.Line = line
		}
		r.Count, text = r.Count+n, after
	}
	written, err := replace(path, info.Mode().Perm(), func(w *os.File) error {
		_, err := w.Write(text)
		return err
	})
	if err != nil {
		return nil, err
	}
	r.Hash, r.InPlace = hash(text), written.InPlace
	return r, nil
}

// replaceText replaces a text. n is how often, and line where it was first.
func replaceText(e *wire.Replace, path string, text []byte, maxSize int64) (n, line int, edited []byte, err error) {
	if len(e.Old) == 0 {
		return 0, 0, nil, wire.Invalid("the text to replace is empty")
	}
	n = bytes.Count(text, e.Old)
	switch {
	case n == 0:
		return 0, 0, nil, wire.Errorf(wire.CodeNoMatch, "the text to replace is not in %s", path)
	case n > 1 && !e.All:
		return 0, 0, nil, wire.Errorf(wire.CodeManyMatches, "the text to replace is %d times in %s (line %s): "+
			"give more of the text around the one that is meant, or replace all", n, path, linesOf(text, e.Old))
	}
	// Check before it is made: to replace a short text that occurs often can take any memory.
	if size := int64(len(text)) + int64(n)*int64(len(e.New)-len(e.Old)); size > maxSize {
		return 0, 0, nil, wire.Errorf(wire.CodeTooLarge, "%s would have %d bytes, more than the limit of %d", path, size, maxSize)
	}
	line = 1 + bytes.Count(text[:bytes.Index(text, e.Old)], []byte{'\n'})
	return n, line, bytes.ReplaceAll(text, e.Old, e.New), nil
}

// linesOf returns the numbers of the first lines that a text begins in.
func linesOf(text, part []byte) string {
	const maxLines = 5
	var lines []string
	number, last := 1, 0
	for {
		i := bytes.Index(text, part)
		if i < 0 {
			return strings.Join(lines, ", ")
		}
		number += bytes.Count(text[:i], []byte{'\n'})
		if number > last && len(lines) == maxLines {
			return strings.Join(lines, ", ") + ", ..."
		}
		if number > last {
			lines = append(lines, strconv.Itoa(number))
		}
		last = number
		number += bytes.Count(text[i:i+len(part)], []byte{'\n'})
		text = text[i+len(part):]
	}
}

func hash(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:])
}
