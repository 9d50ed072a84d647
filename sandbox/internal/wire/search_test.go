package wire

import (
	"math"
	"testing"

	"github.com/matryer/is"
)

func TestRecords(t *testing.T) {
	t.Run("files", func(t *testing.T) {
		is := is.New(t)
		infos := []FileInfo{
			{Name: []byte("a/b\xff"), Size: 1, Mode: 0o644, ModTime: math.MaxInt64, UID: 1, GID: math.MaxUint32, Link: []byte("to")},
			{Name: []byte{}, Size: -1, Mode: math.MaxUint32, ModTime: math.MinInt64, Link: []byte{}},
		}
		var b []byte
		for i := range infos {
			b = AppendFileInfo(b, &infos[i])
		}
		r := NewRecords(b)
		for _, want := range infos {
			is.True(r.More())
			got, err := r.FileInfo()
			is.NoErr(err)
			is.Equal(got, want)
		}
		is.True(!r.More())
	})
	t.Run("lines", func(t *testing.T) {
		is := is.New(t)
		lines := []GrepLine{
			{Path: []byte("a\n\xff"), Number: 1, Text: []byte("\x00\n"), Match: true},
			{Path: []byte("a\n\xff"), Number: math.MaxInt, Text: []byte{}},
			{Path: []byte("b"), Match: true, Count: 7, Text: []byte{}},
		}
		var b []byte
		for i := range lines {
			b = AppendGrepLine(b, &lines[i], i == 1)
		}
		r := NewRecords(b)
		for _, want := range lines {
			is.True(r.More())
			got, err := r.GrepLine()
			is.NoErr(err)
			is.Equal(got, want)
		}
		is.True(!r.More())
	})
}

// FuzzRecords decodes the bytes of a hostile guest: it ends, with an error or with the records
// in them.
func FuzzRecords(f *testing.F) {
	f.Add(AppendFileInfo(nil, &FileInfo{Name: []byte("a"), Size: 1, Link: []byte("b")}))
	line := &GrepLine{Path: []byte("a"), Number: 1, Text: []byte("text"), Match: true}
	f.Add(AppendGrepLine(AppendGrepLine(nil, line, false), line, true))
	f.Add(AppendGrepLine(nil, line, true)) // of which file?
	f.Add([]byte(`{"Name":"YQ=="}`))
	f.Add([]byte{3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1})
	f.Fuzz(func(t *testing.T, b []byte) {
		is := is.New(t)
		for _, next := range []func(*Records) (int, error){
			func(r *Records) (int, error) { f, err := r.FileInfo(); return len(f.Name) + len(f.Link), err },
			func(r *Records) (int, error) { l, err := r.GrepLine(); return len(l.Text), err },
		} {
			total := 0
			for r := NewRecords(b); r.More(); {
				n, err := next(r)
				if err != nil {
					is.True(isViolation(err))
					is.True(!r.More()) // and that is the end
					break
				}
				total += n
			}
			is.True(total <= len(b)) // nothing is made up
		}
	})
}
