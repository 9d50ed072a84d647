package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// TransferOptions bound a transfer and say how it goes on; nil is all defaults. A tree over
// a limit is ErrTooLarge.
type TransferOptions struct {
	// MaxBytes is for the contents of all files together. Default: 4 GiB.
	MaxBytes int64
	// MaxEntries is for files, directories and symlinks. Default: 250,000.
	MaxEntries int64
	// MaxDepth is how many names a path in the tree may have. Default: 100.
	MaxDepth int
	// MaxPath is how many bytes such a path, or the target of a symlink, may have. Default:
	// 1024.
	MaxPath int
	// Exclude leaves out what one of these patterns fits, with all that is below it: * and ?
	// stop at "/", [a-z] is a class. A pattern without "/" is for the last name of a path
	// ("node_modules"), one with it for the whole path in the tree ("build/*.o"). What is
	// read from an archive is not looked at.
	Exclude []string
	// Skip leaves out what is refused or cannot be read, and goes on: TransferResult.Skipped
	// tells. Default: it is the error.
	Skip bool
	// Progress is told how far it is, at most ten times a second and at the end, by the
	// goroutine that called.
	Progress func(TransferProgress)
}

// TransferProgress is how far a transfer is.
type TransferProgress struct {
	Bytes   int64  // of contents
	Entries int64  // files, directories and symlinks
	Name    string // the entry it is at, below the tree's root
}

// TransferResult is what a transfer did.
type TransferResult struct {
	Bytes   int64 // of contents
	Entries int64 // files, directories and symlinks, and the tree's root
	// Skipped are the first 100 of SkippedCount entries that were left out, and why.
	Skipped      []*Error
	SkippedCount int
	// Changed are the first 100 files that somebody wrote to while they were read, which are
	// not what they were at any one time: what was appended is missing, and what was cut off
	// is zeros.
	Changed []string
}

const maxListed = 100

// transfer is one upload or download.
type transfer struct {
	sb            *Sandbox
	op            string
	local, remote string // names of the two ends, for errors
	opts          TransferOptions
	result        TransferResult
	at            TransferProgress
	shown         time.Time
}

func (sb *Sandbox) newTransfer(ctx context.Context, op, local, remote string, opts *TransferOptions) (*transfer, error) {
	t := &transfer{sb: sb, op: op, local: local, remote: remote, opts: orZero(opts)}
	o := &t.opts
	if err := context.Cause(ctx); err != nil {
		return nil, t.localError(err)
	}
	if o.MaxBytes < 0 || o.MaxEntries < 0 || o.MaxDepth < 0 || o.MaxPath < 0 {
		return nil, t.localError(invalid("a limit is negative"))
	}
	if err := archive.CheckPatterns(o.Exclude); err != nil {
		return nil, t.localError(err)
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, 4<<30)
	o.MaxEntries = cmp.Or(o.MaxEntries, 250_000)
	o.MaxDepth = cmp.Or(o.MaxDepth, 100)
	o.MaxPath = cmp.Or(o.MaxPath, 1024)
	return t, nil
}

// archiveOptions are the transfer's for the end that is on this host.
func (t *transfer) archiveOptions(ctx context.Context) *archive.Options {
	o := &archive.Options{
		Limits:  archive.Limits{Bytes: t.opts.MaxBytes, Entries: t.opts.MaxEntries, Depth: t.opts.MaxDepth, Path: t.opts.MaxPath},
		Exclude: t.opts.Exclude,
		Changed: t.recordChanged,
		Step: func(name string, total archive.Total) error {
			t.at = TransferProgress{Bytes: total.Bytes, Entries: total.Entries, Name: name}
			if t.opts.Progress != nil && time.Since(t.shown) >= time.Second/10 {
				t.shown = time.Now()
				t.opts.Progress(t.at)
			}
			return context.Cause(ctx)
		},
	}
	if t.opts.Skip {
		o.Refused = func(err *wire.Error) error {
			t.recordSkipped(err, 1)
			return nil
		}
	}
	return o
}

// recordSkipped notes one of count entries that were left out.
func (t *transfer) recordSkipped(err *wire.Error, count int) {
	t.result.SkippedCount += count
	if len(t.result.Skipped) < maxListed {
		t.result.Skipped = append(t.result.Skipped, t.entryError("", err))
	}
}

func (t *transfer) recordChanged(name string) {
	if len(t.result.Changed) < maxListed {
		t.result.Changed = append(t.result.Changed, name)
	}
}

// finish is the result of a transfer that succeeded.
func (t *transfer) finish(total archive.Total) *TransferResult {
	t.result.Bytes, t.result.Entries = total.Bytes, total.Entries
	if t.opts.Progress != nil {
		t.opts.Progress(TransferProgress{Bytes: total.Bytes, Entries: total.Entries, Name: t.at.Name})
	}
	return &t.result
}

// entryError is that of an entry, or of what name says.
func (t *transfer) entryError(name string, err error) *Error {
	e := &Error{Op: t.op, Name: name, Err: err}
	if own, ok := err.(*Error); ok {
		e.Code, e.Err = own.Code, own.Err
	}
	if known, ok := errors.AsType[*wire.Error](err); ok {
		e.Code = Code(known.Code)
		e.Err = errors.New(printable.Text(known.Text))
		if len(known.Name) > 0 {
			e.Name = string(known.Name)
		}
	}
	if e.Code == CodeUnsafe && !t.opts.Skip {
		e.Err = fmt.Errorf("%w; TransferOptions.Skip leaves such entries out", e.Err)
	}
	return e
}

// localError is what went wrong on the host.
func (t *transfer) localError(err error) error { return t.entryError(t.local, err) }

// remoteError is what the sandbox says, or went wrong with it.
func (t *transfer) remoteError(err error) error {
	if _, known := errors.AsType[*wire.Error](err); known {
		return t.entryError(t.remote, err)
	}
	return t.sb.failure(t.op, t.remote, err)
}

// endCause returns why neither end could go on, or nil.
func (t *transfer) endCause(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return t.localError(cause)
	}
	if err := t.sb.ch.Err(); err != nil {
		return t.remoteError(err)
	}
	return nil
}
