package sandbox

import (
	"cmp"
	"context"
	"errors"

	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// What errors.Is finds in the error of an Edit that changed nothing.
var (
	// ErrNoMatch: the text to replace is not in the file.
	ErrNoMatch = errors.New("text not found")
	// ErrManyMatches: it is there more than once, and not all were to be replaced. The
	// error says how often.
	ErrManyMatches = errors.New("text found more than once")
	// ErrChanged: the file is not what EditOptions.IfHash says.
	ErrChanged = errors.New("file has changed")
)

// LineOptions choose the lines that ReadLines returns.
type LineOptions struct {
	// First is the number of the first line, from 1. Default: 1.
	First int
	// Count is how many lines at most. Default: all.
	Count int
	// MaxBytes bounds what is returned; the last line is then cut. Default: MaxRead.
	MaxBytes int
}

// Lines are some lines of a text file.
type Lines struct {
	// Text is the lines as they are in the file, ends included.
	Text []byte
	// First is the number of the first of them, from 1; Count is how many there are.
	First, Count int
	// Total is how many lines the file has.
	Total int
	// Cut is set where MaxBytes ended the text within or before the last line asked for.
	Cut bool
	// Size is the file's in bytes, and Hash the SHA-256 of all of it in hexadecimal, for
	// EditOptions.IfHash.
	Size int64
	Hash string
}

// ReadLines returns lines of a file by number. A file longer than MaxRead is read as
// well: only what is returned is bounded.
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

// EditOptions say how Edit replaces.
type EditOptions struct {
	// All replaces every match. Default: exactly one has to be there.
	All bool
	// IfHash refuses a file whose SHA-256 is another with ErrChanged. Default: any.
	IfHash string
}

// EditResult is what Edit changed.
type EditResult struct {
	Count   int    // replacements
	Line    int    // of the first of them, from 1
	Hash    string // of the file as it is now
	InPlace bool   // as in WriteResult
}

// Edit replaces old by new in a file, byte for byte, and writes it as WriteFile does.
// It reads and writes in one step of the guest's, so two edits of a file through one
// sandbox never undo each other. ErrNoMatch, ErrManyMatches and ErrChanged leave the file
// as it was. The file must not be longer than MaxRead, before or after.
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
	// All replaces every match. Default: exactly one has to be there.
	All bool
}

// MultiEdit makes several edits of one file, each in what the one before left, and writes it
// once, as Edit does. Where one of them finds no match, or too many, the error says which,
// and the file stays as it was. EditOptions.All goes for all of them. The result's Line is
// that of the first edit.
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
