package wire

import (
	"encoding/binary"
	"math"
)

// Glob looks for files by a pattern.
type Glob struct {
	Pattern   []byte
	Dir       []byte `json:",omitempty"`
	Hidden    bool   `json:",omitempty"`
	GitIgnore bool   `json:",omitempty"`
	Newest    bool   `json:",omitempty"`
	Limit     int
}

// Grep looks for lines by a regular expression.
type Grep struct {
	Pattern       []byte
	Path          []byte   `json:",omitempty"`
	Include       [][]byte `json:",omitempty"`
	IgnoreCase    bool     `json:",omitempty"`
	Multiline     bool     `json:",omitempty"`
	Hidden        bool     `json:",omitempty"`
	GitIgnore     bool     `json:",omitempty"`
	FilesOnly     bool     `json:",omitempty"`
	Count         bool     `json:",omitempty"`
	Before, After int      `json:",omitempty"`
	Limit         int
}

// GrepLine is a line that matches, or a line of context.
type GrepLine struct {
	Path   []byte
	Number int
	Text   []byte
	Match  bool
	Count  int
}

// Searched ends a search.
type Searched struct {
	More   bool `json:",omitempty"`
	Errors int  `json:",omitempty"`
}

// The results of a search can be hundreds of thousands, so they do not travel as JSON. Numbers
// are varints as of encoding/binary, and bytes come after their number.

// AppendFileInfo appends f to b.
func AppendFileInfo(b []byte, f *FileInfo) []byte {
	b = appendBytes(b, f.Name)
	b = binary.AppendVarint(b, f.Size)
	b = binary.AppendUvarint(b, uint64(f.Mode))
	b = binary.AppendVarint(b, f.ModTime)
	b = binary.AppendUvarint(b, uint64(f.UID))
	b = binary.AppendUvarint(b, uint64(f.GID))
	return appendBytes(b, f.Link)
}

// The first byte of a GrepLine.
const (
	lineMatch = 1 << iota
	linePath  // its path follows, which is also that of the lines after it
)

// AppendGrepLine appends l to b. again says that l is of the same file as the line before it:
// its path is left out.
func AppendGrepLine(b []byte, l *GrepLine, again bool) []byte {
	var flags byte
	if l.Match {
		flags |= lineMatch
	}
	if again {
		b = append(b, flags)
	} else {
		b = appendBytes(append(b, flags|linePath), l.Path)
	}
	b = binary.AppendUvarint(b, uint64(l.Number))
	b = binary.AppendUvarint(b, uint64(l.Count))
	return appendBytes(b, l.Text)
}

func appendBytes(b, p []byte) []byte {
	return append(binary.AppendUvarint(b, uint64(len(p))), p...)
}

// Records decodes what AppendFileInfo or AppendGrepLine has encoded. The results are parts of
// the encoded bytes.
type Records struct {
	b    []byte
	path []byte // of the line before
	bad  bool
}

// NewRecords returns the records in b.
func NewRecords(b []byte) *Records { return &Records{b: b} }

// More reports whether there is another record.
func (r *Records) More() bool { return len(r.b) > 0 }

// FileInfo takes the next record.
func (r *Records) FileInfo() (FileInfo, error) {
	f := FileInfo{Name: r.bytes(), Size: r.signed(), Mode: uint32(r.number(math.MaxUint32)), ModTime: r.signed(),
		UID: uint32(r.number(math.MaxUint32)), GID: uint32(r.number(math.MaxUint32)), Link: r.bytes()}
	return f, r.err()
}

// GrepLine takes the next record.
func (r *Records) GrepLine() (GrepLine, error) {
	flags := r.number(lineMatch | linePath)
	if flags&linePath != 0 {
		r.path = r.bytes()
	} else if r.path == nil {
		r.fail() // the first line has one
	}
	l := GrepLine{Path: r.path, Match: flags&lineMatch != 0,
		Number: int(r.number(math.MaxInt)), Count: int(r.number(math.MaxInt)), Text: r.bytes()}
	return l, r.err()
}

func (r *Records) fail() { r.bad, r.b = true, nil }

func (r *Records) err() error {
	if r.bad {
		return violation("a search result is not well formed")
	}
	return nil
}

// number takes a number that is at most limit.
func (r *Records) number(limit uint64) uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 || v > limit {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *Records) signed() int64 {
	v, n := binary.Varint(r.b)
	if n <= 0 {
		r.fail()
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *Records) bytes() []byte {
	n := r.number(uint64(len(r.b)))
	if n > uint64(len(r.b)) { // it is shorter now, by the number itself
		r.fail()
		return nil
	}
	p := r.b[:n:n]
	r.b = r.b[n:]
	return p
}
