package session

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/matryer/is"
)

func TestIDs(t *testing.T) {
	for _, id := range []string{"a", "7", "user-1", "A.b_c-d", "a..", strings.Repeat("x", 64)} {
		t.Run("good "+id, func(t *testing.T) {
			is := is.New(t)
			is.NoErr(checkID(id))
		})
	}
	root := t.TempDir()
	b := newBench(t, Options{WorkspaceRoot: root})
	for _, id := range []string{"", "../x", "..", ".", ".a", "-a", "_a", "a/b", `a\b`, "/a", "a b", "a\x00", "a\n", "\n",
		"é", "a\u0301", "名", "a:b", "a,b", "a=b", "a*", "a\xff", "a\x1b[2J", strings.Repeat("x", 65), strings.Repeat("é", 1000)} {
		t.Run(fmt.Sprintf("bad %.20q", id), func(t *testing.T) {
			is := is.New(t)
			for _, f := range []func() error{
				func() error { _, err := b.get(ctx, id, nil); return err },
				func() error { return b.Release(ctx, id, &ReleaseOptions{DeleteWorkspace: true}) },
			} {
				err := f()
				is.True(errors.Is(err, ErrInvalidID))
				e, ok := errors.AsType[*Error](err)
				is.True(ok && e.ID == id)
				is.True(strings.Contains(err.Error(), "write 1 to 64 ASCII letters, digits, '.', '_' and '-'")) // the way out
				is.True(len(err.Error()) < 800 && !strings.ContainsFunc(err.Error(), unicode.IsControl))        // printable
			}
		})
	}
	is := is.New(t)
	is.Equal(b.opens(), 0)
	entries, err := os.ReadDir(root)
	is.NoErr(err)
	is.Equal(len(entries), 0) // no path was touched
}
