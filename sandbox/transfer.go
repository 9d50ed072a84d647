package sandbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/drydock-go/drydock/sandbox/internal/archive"
	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/printable"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// TransferOptions limit a transfer and say what it leaves out; nil is all defaults. A tree that
// exceeds a limit is ErrTooLarge.
type TransferOptions struct {
	// MaxBytes is the maximum size of the contents of all files together. Default: 4 GiB.
	MaxBytes int64
	// MaxEntries is the maximum number of files, directories and symlinks. Default: 250,000.
	MaxEntries int64
	// MaxDepth is the maximum number of names in a path of the tree. Default: 100.
	MaxDepth int
	// MaxPath is the maximum length in bytes of such a path, and of the target of a symlink.
	// Default: 1024.
	MaxPath int
	// Exclude is a list of globs, in the syntax of Sandbox.Glob. Entries that one of them matches
	// are left out, with everything below. A glob without a "/" matches the last name of a path
	// ("node_modules"), one with a "/" the whole path in the tree ("build/**/*.o"). UploadTar
	// does not apply it to the archive. Default: none.
	Exclude []string
	// Skip leaves out the entries that are refused or cannot be read, and goes on; see
	// TransferResult.Skipped. Default: the first one is the error.
	Skip bool
	// Progress is called with the progress, at most ten times a second and at the end, by the
	// goroutine that called the transfer's method. Default: none.
	Progress func(TransferProgress)
}

// TransferProgress is how far a transfer is.
type TransferProgress struct {
	Bytes   int64  // of contents
	Entries int64  // files, directories and symlinks
	Name    string // the current entry, below the tree's root
}

// TransferResult is what a transfer did.
type TransferResult struct {
	Bytes   int64 // of contents
	Entries int64 // files, directories and symlinks, and the tree's root
	// Skipped says why entries were left out because of Skip: the first 100 of SkippedCount.
	Skipped      []*Error
	SkippedCount int
	// Changed lists the first 100 files that were written to while they were read. Their copy
	// may mix old and new contents: appended bytes are missing, and truncated ones are zeros.
	Changed []string
}

// maxListed is how many entries each list of a TransferResult has at most.
const maxListed = 100

// transfer is one upload or download.
type transfer struct {
	sb            *Sandbox
	op            string
	local, remote string // names of the two ends, for errors
	opts          TransferOptions
	exclude       match.Filter
	result        TransferResult
	at            TransferProgress
	reported      time.Time // when Progress was last called
}

// newTransfer checks the options of a transfer and fills in their defaults.
func (sb *Sandbox) newTransfer(ctx context.Context, op, local, remote string, opts *TransferOptions) (*transfer, error) {
	t := &transfer{sb: sb, op: op, local: local, remote: remote, opts: orZero(opts)}
	o := &t.opts
	if err := context.Cause(ctx); err != nil {
		return nil, t.localError(err)
	}
	if o.MaxBytes < 0 || o.MaxEntries < 0 || o.MaxDepth < 0 || o.MaxPath < 0 {
		return nil, t.localError(invalid("MaxBytes, MaxEntries, MaxDepth or MaxPath is negative"))
	}
	var err error
	// An empty pattern, as of an empty flag that was split, leaves out nothing.
	o.Exclude = slices.DeleteFunc(slices.Clone(o.Exclude), func(pattern string) bool { return pattern == "" })
	if t.exclude, err = match.CompileFilter(o.Exclude...); err != nil {
		return nil, t.localError(invalid("exclude: %v", err))
	}
	o.MaxBytes = cmp.Or(o.MaxBytes, 4<<30)
	o.MaxEntries = cmp.Or(o.MaxEntries, 250_000)
	o.MaxDepth = cmp.Or(o.MaxDepth, 100)
	o.MaxPath = cmp.Or(o.MaxPath, 1024)
	return t, nil
}

// archiveOptions returns the transfer's options for the packer or unpacker on this host.
func (t *transfer) archiveOptions(ctx context.Context) *archive.Options {
	o := &archive.Options{
		Limits:  archive.Limits{Bytes: t.opts.MaxBytes, Entries: t.opts.MaxEntries, Depth: t.opts.MaxDepth, Path: t.opts.MaxPath},
		Exclude: t.exclude,
		Changed: t.recordChanged,
		Step: func(name string, total archive.Total) error {
			t.at = TransferProgress{Bytes: total.Bytes, Entries: total.Entries, Name: name}
			if t.opts.Progress != nil && time.Since(t.reported) >= time.Second/10 {
				t.reported = time.Now()
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

// recordSkipped records why an entry was left out. It adds count to the result's SkippedCount.
func (t *transfer) recordSkipped(err *wire.Error, count int) {
	t.result.SkippedCount += count
	if len(t.result.Skipped) < maxListed {
		t.result.Skipped = append(t.result.Skipped, t.entryError("", err))
	}
}

// recordChanged records a file that was written to while it was read.
func (t *transfer) recordChanged(name string) {
	if len(t.result.Changed) < maxListed {
		t.result.Changed = append(t.result.Changed, name)
	}
}

// finish reports the last progress and returns the result of a transfer that succeeded.
func (t *transfer) finish(total archive.Total) *TransferResult {
	t.result.Bytes, t.result.Entries = total.Bytes, total.Entries
	if t.opts.Progress != nil {
		t.opts.Progress(TransferProgress{Bytes: total.Bytes, Entries: total.Entries, Name: t.at.Name})
	}
	return &t.result
}

// entryError returns the error about an entry if err names one, else about name.
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

// localError returns the error for a failure on the host.
func (t *transfer) localError(err error) error { return t.entryError(t.local, err) }

// remoteError returns the error for a failure that the guest reports, or of the sandbox itself.
func (t *transfer) remoteError(err error) error {
	if _, known := errors.AsType[*wire.Error](err); known {
		return t.entryError(t.remote, err)
	}
	return t.sb.failure(t.op, t.remote, err)
}

// endCause returns the error if ctx or the sandbox has ended, or nil.
func (t *transfer) endCause(ctx context.Context) error {
	if cause := context.Cause(ctx); cause != nil {
		return t.localError(cause)
	}
	if err := t.sb.ch.Err(); err != nil {
		return t.remoteError(err)
	}
	return nil
}
