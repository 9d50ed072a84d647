// Package archive makes tar archives of trees of files, and trees of archives. Both ends of the
// channel use it: the host packs an upload and the guest unpacks it, and the other way round for
// a download.
//
// Neither trusts its input. A tree may change while it is packed, and no file in it can make the
// packer wait. An archive may hold anything: each entry is checked before it is made, memory is
// bounded, and every file is made through an os.Root, by a name whose directories are no
// symlinks, so nothing is ever written elsewhere.
package archive

import (
	"archive/tar"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"runtime"
	"strings"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/drydock-go/drydock/sandbox/internal/wire"
)

// Limits bound a tree; 0 is no limit.
type Limits struct {
	Bytes   int64 // the contents of all files
	Entries int64 // files, directories and links
	Depth   int   // the names in the path of an entry
	Path    int   // the bytes of the path of an entry
}

// Options say which entries of a tree pass, and who hears of them. The zero value is for a tree
// that the caller trusts not to be too large.
type Options struct {
	Limits
	// Exclude matches entries that packing leaves out, with all below them.
	Exclude match.Filter
	// Except are names of entries that packing and unpacking leave out, with all below them.
	Except map[string]bool
	// Inside is for a tree that stays in its sandbox: links may lead anywhere, setuid bits get
	// lost, and entries of other types than file, directory and link are left out. None of that
	// is refused.
	Inside bool
	// Exact gives files the modes of the archive. Without it the umask counts, and a directory
	// stays open to its owner, who may want to remove it.
	Exact bool
	// Refused decides on an entry that must not pass: with nil it is left out, an error ends
	// the work. Default: the entry's error ends the work.
	Refused func(*wire.Error) error
	// Changed is called for a file that changed while it was read. If it grew, it was cut at
	// its first size; if it shrank, it was filled up with zeros.
	Changed func(name string)
	// Step is called for every entry and every piece of contents. An error ends the work.
	Step func(name string, t Total) error
}

// Total is how much was moved.
type Total struct {
	Bytes   int64 // of contents
	Entries int64
}

// Errors about a whole archive.
var (
	ErrTruncated = wire.Invalid("the archive ends early")
	ErrEmpty     = wire.Invalid("the archive is empty")
	errHeader    = wire.Errorf(wire.CodeTooLarge, "an entry of the archive has a header of more than 1 MiB")
)

const (
	// bufferSize is how much is read of a file at a time.
	bufferSize = 64 << 10
	// headerRoom is how many bytes of an archive may lie between the contents of two entries.
	headerRoom = 1 << 20
	// maxNames is how many bytes of names may be kept for the end.
	maxNames = 64 << 20
)

// work is the part that packing and unpacking have in common.
type work struct {
	o      *Options
	total  Total
	seen   Total // with the entries that were left out
	buf    []byte
	writes bool // entries become files here, so their names must be legal on this system
}

func newWork(o *Options) work { return work{o: o, buf: make([]byte, bufferSize)} }

// step counts contents that were moved.
func (w *work) step(name string, n int) error {
	w.total.Bytes += int64(n)
	if w.o.Step == nil {
		return nil
	}
	return w.o.Step(name, w.total)
}

// refuse leaves an entry out or ends the work, as the caller decides.
func (w *work) refuse(err *wire.Error) error {
	if w.o.Refused == nil {
		return err
	}
	return w.o.Refused(err)
}

// admit decides whether an entry passes. It cleans the name of one that does.
func (w *work) admit(h *tar.Header) (bool, error) {
	if err := w.count(h.Name); err != nil {
		return false, err
	}
	l := &w.o.Limits
	switch {
	case l.Bytes > 0 && h.Size > l.Bytes-w.seen.Bytes:
		return false, tooLarge(h.Name, "more than %d bytes: raise MaxBytes", l.Bytes)
	case l.Path > 0 && len(h.Name) > l.Path:
		return false, tooLarge(h.Name, "a path of more than %d bytes: raise MaxPath", l.Path)
	case l.Path > 0 && len(h.Linkname) > l.Path:
		return false, tooLarge(h.Name, "a link to a path of more than %d bytes: raise MaxPath", l.Path)
	}
	w.seen.Bytes += h.Size
	name, why := clean(h.Name)
	if why == "" {
		h.Name = name
		why = w.unsafe(h)
	}
	switch {
	case why != "":
		return false, w.refuse(refusal(h.Name, why))
	case l.Depth > 0 && strings.Count(name, "/") >= l.Depth:
		return false, tooLarge(name, "more than %d names deep: raise MaxDepth", l.Depth)
	}
	w.total.Entries++
	return true, w.step(h.Name, 0)
}

// count counts an entry.
func (w *work) count(name string) error {
	w.seen.Entries++
	if l := w.o.Entries; l > 0 && w.seen.Entries > l {
		return tooLarge(name, "more than %d entries: raise MaxEntries", l)
	}
	return nil
}

func tooLarge(name, format string, limit any) error {
	return &wire.Error{Code: wire.CodeTooLarge, Name: clip(name), Text: fmt.Sprintf(format, limit)}
}

func refusal(name, why string) *wire.Error {
	return &wire.Error{Code: wire.CodeUnsafe, Name: clip(name), Text: why}
}

// clip bounds a name in an error.
func clip(name string) []byte {
	const maxShown = 4 << 10
	return []byte(name[:min(len(name), maxShown)])
}

// unsafe returns why an entry must not pass, or "".
func (w *work) unsafe(h *tar.Header) string {
	if w.o.Inside {
		h.Mode &= 0o777
	}
	if h.Name == "." && h.Typeflag != tar.TypeDir {
		return "its name is that of the directory itself"
	}
	if w.writes && runtime.GOOS == "windows" {
		if why := unportable(h.Name + "/" + h.Linkname); why != "" {
			return why
		}
	}
	switch h.Typeflag {
	case tar.TypeReg:
		for key := range h.PAXRecords {
			if strings.HasPrefix(key, "GNU.sparse.") {
				return "a sparse file in a format of its own"
			}
		}
		if h.Mode&0o6000 != 0 {
			return "a setuid or setgid file"
		}
	case tar.TypeDir:
	case tar.TypeSymlink:
		if !w.o.Inside {
			return unsafeLink(h.Name, h.Linkname)
		}
	case tar.TypeLink:
		return "a hard link, where a copy is wanted"
	case tar.TypeFifo:
		return "a FIFO"
	case tar.TypeChar, tar.TypeBlock:
		return "a device"
	default:
		return fmt.Sprintf("an entry of the unknown type %q", h.Typeflag)
	}
	return ""
}

// clean returns a name of an archive as a path below the root, which is ".", or why it is not a
// name for one.
func clean(name string) (cleaned, why string) {
	switch {
	case name == "":
		return "", "an empty name"
	case name[0] == '/':
		return "", "an absolute name"
	case strings.Contains(name, "\x00"):
		return "", "a name with a NUL byte"
	}
	parts := strings.Split(name, "/")
	kept := parts[:0]
	for _, part := range parts {
		switch part {
		case "", ".":
		case "..":
			return "", "a name with .. in it"
		default:
			kept = append(kept, part)
		}
	}
	if len(kept) == 0 {
		return ".", ""
	}
	return strings.Join(kept, "/"), ""
}

// unsafeLink returns why a symlink may lead out of its tree, or "". A link cannot if it begins
// with no more ".." than it is deep, and has none later: it goes up from where it really is,
// and down through directories and other such links.
func unsafeLink(name, target string) string {
	switch {
	case target == "":
		return "a symlink to nothing"
	case target[0] == '/':
		return fmt.Sprintf("a symlink to an absolute path, %q", target)
	case strings.Contains(target, "\x00"):
		return "a symlink to a name with a NUL byte"
	}
	up := strings.Count(name, "/")
	down := false
	for part := range strings.SplitSeq(target, "/") {
		switch part {
		case "", ".":
		case "..":
			if up--; up < 0 || down {
				return fmt.Sprintf("a symlink that may lead out of the tree, to %q", target)
			}
		default:
			down = true
		}
	}
	return ""
}

// unportable returns why Windows would take a path for another one, or "".
func unportable(name string) string {
	for part := range strings.SplitSeq(name, "/") {
		if strings.ContainsAny(part, `\:*?"<>|`) || strings.TrimRight(part, ". ") != part && part != "." && part != ".." ||
			strings.ToValidUTF8(part, "") != part || strings.ContainsFunc(part, func(r rune) bool { return r < ' ' }) {
			return "a name that Windows cannot hold"
		}
	}
	return ""
}

// fileError is an error of a file system about an entry, or about the whole tree if the name is
// empty.
func fileError(name string, err error) *wire.Error {
	e := &wire.Error{Code: wire.CodeOf(err), Text: err.Error()}
	if name != "" {
		e.Name = clip(name)
	}
	// The path in it is a temporary one, or repeats the name.
	if pathError, ok := errors.AsType[*fs.PathError](err); ok {
		e.Text = pathError.Err.Error()
	}
	return e
}

// excepted reports whether a name is one of Except, or below it.
func (o *Options) excepted(name string) bool {
	for ; len(o.Except) > 0 && name != "." && name != "/"; name = path.Dir(name) {
		if o.Except[name] {
			return true
		}
	}
	return false
}

// excluded reports whether packing leaves an entry out.
func (o *Options) excluded(name string) bool {
	return o.Except[name] || o.Exclude.Match(name)
}
