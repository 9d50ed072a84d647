package sandbox

import (
	"cmp"
	"context"
	"errors"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// The sentinels that errors.Is finds in the error of an Edit that changed nothing.
var (
	// ErrNoMatch: the text to replace is not in the file. Job.WaitLine returns it as well.
	ErrNoMatch = errors.New("text not found")
	// ErrManyMatches: the text is in the file more than once, and EditOptions.All is not set.
	// The error says how often.
	ErrManyMatches = errors.New("text found more than once")
	// ErrChanged: the file is not what EditOptions.IfHash says.
	ErrChanged = errors.New("file has changed")
)

// LineOptions say which lines ReadLines returns; nil is all defaults.
type LineOptions struct {
	// First is the number of the first line, from 1. Default: 1.
	First int
	// Count is the maximum number of lines. Default: all.
	Count int
	// MaxBytes is the maximum number of bytes; more are cut off, even within a line. Default:
	// MaxRead.
	MaxBytes int
}

// Lines are some lines of a text file.
type Lines struct {
	// Text is the lines as they are in the file, with their ends.
	Text []byte
	// First is the number of the first line in Text, from 1. Count is the number of lines in
	// Text.
	First, Count int
	// Total is how many lines the file has.
	Total int
	// Cut is set if MaxBytes cut the text off before the end of the last requested line.
	Cut bool
	// Size is the size of the file in bytes. Hash is the SHA-256 of the whole file in
	// hexadecimal, for EditOptions.IfHash.
	Size int64
	Hash string
}

// ReadLines returns lines of a file by number. The file may be longer than MaxRead: only the
// returned text is bounded.
func (sb *Sandbox) ReadLines(ctx context.Context, name string, opts *LineOptions) (*Lines, error) {
	o := orZero(opts)
	if o.First < 0 || o.Count < 0 || o.MaxBytes < 0 {
		return nil, failure("read", name, invalid("first %d, count %d and max bytes %d must not be negative", o.First, o.Count, o.MaxBytes))
	}
	m := &wire.ReadLines{Path: []byte(name), First: max(o.First, 1), Count: o.Count, Max: cmp.Or(o.MaxBytes, MaxRead)}
	var r wire.LinesRead
	text, err := sb.collect(ctx, wire.OpReadLines, m, int64(m.Max), &r)
	if err != nil {
		return nil, sb.failure("read", name, err)
	}
	return &Lines{Text: text, First: r.First, Count: r.Count, Total: r.Total, Cut: r.Cut, Size: r.Size, Hash: r.Hash}, nil
}

// EditOptions say how Edit replaces; nil is all defaults.
type EditOptions struct {
	// All replaces every match. Default: there must be exactly one match.
	All bool
	// IfHash is the SHA-256 that the file must have, in hexadecimal; otherwise the error is
	// ErrChanged. Default: the file is not checked.
	IfHash string
}

// EditResult is what Edit changed.
type EditResult struct {
	Count   int    // number of replacements
	Line    int    // line of the first replacement, from 1
	Hash    string // SHA-256 of the new contents, in hexadecimal
	InPlace bool   // as in WriteResult
}

// Edit replaces old by new in a file, byte for byte, and writes the file as WriteFile does. The
// guest reads and writes the file in one step, so two edits through one sandbox never undo each
// other. ErrNoMatch, ErrManyMatches and ErrChanged leave the file as it was. A file that is
// longer than MaxRead, before or after the edit, is ErrTooLarge.
func (sb *Sandbox) Edit(ctx context.Context, name, old, new string, opts *EditOptions) (*EditResult, error) {
	o := orZero(opts)
	m := &wire.Edit{Path: []byte(name), Old: []byte(old), New: []byte(new), All: o.All, IfHash: o.IfHash, Max: MaxRead}
	if old == "" {
		return nil, failure("edit", name, invalid("the text to replace is empty"))
	}
	var r wire.Edited
	if err := sb.do(ctx, wire.OpEdit, m, &r); err != nil {
		return nil, sb.failure("edit", name, err)
	}
	return &EditResult{Count: r.Count, Line: r.Line, Hash: r.Hash, InPlace: r.InPlace}, nil
}

// Replacement is one of several edits.
type Replacement struct {
	Old, New string
	// All replaces every match. Default: there must be exactly one match.
	All bool
}

// MultiEdit makes several edits of one file and writes the file once, as Edit does. Each edit
// works on the result of the one before. If an edit finds no match, or too many, the error says
// which one, and the file stays as it was. EditOptions.All applies to all edits. The result's
// Line is that of the first edit.
func (sb *Sandbox) MultiEdit(ctx context.Context, name string, edits []Replacement, opts *EditOptions) (*EditResult, error) {
	o := orZero(opts)
	m := &wire.MultiEdit{Path: []byte(name), IfHash: o.IfHash, Max: MaxRead}
	for i, e := range edits {
		if e.Old == "" {
			return nil, failure("edit", name, invalid("the text to replace in edit %d of %d is empty", i+1, len(edits)))
		}
		m.Edits = append(m.Edits, wire.Replace{Old: []byte(e.Old), New: []byte(e.New), All: e.All || o.All})
	}
	if len(edits) == 0 {
		return nil, failure("edit", name, invalid("no edits"))
	}
	var r wire.Edited
	if err := sb.do(ctx, wire.OpMultiEdit, m, &r); err != nil {
		return nil, sb.failure("edit", name, err)
	}
	return &EditResult{Count: r.Count, Line: r.Line, Hash: r.Hash, InPlace: r.InPlace}, nil
}
