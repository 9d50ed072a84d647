package image

import (
	"testing"

	"github.com/matryer/is"
)

func TestUseRecord(t *testing.T) {
	is := is.New(t)
	for _, ref := range []string{"", "debian:12", "localhost/drydock/snapshot:a", repository + "a/b:1", repository + `a\b:1`} {
		is.Equal(useRecord(ref), "") // none
	}
	t.Setenv("HOME", "")
	t.Setenv("XDG_CACHE_HOME", "")
	MarkUsed(repository + "a:1")
	is.True(lastUse(repository + "a:1").IsZero()) // nowhere to keep it
	t.Setenv("XDG_CACHE_HOME", "/proc/none")
	MarkUsed(repository + "a:1")
	is.True(lastUse(repository + "a:1").IsZero()) // nor here
}

func BenchmarkMarkUsed(b *testing.B) {
	b.Setenv("XDG_CACHE_HOME", b.TempDir())
	ref := repository + "python-minimal:0123456789abcdef0123"
	for b.Loop() {
		MarkUsed(ref)
	}
}
