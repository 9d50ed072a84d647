package archive

import (
	"testing"

	"github.com/drydock-go/drydock/sandbox/internal/guest/match"
	"github.com/matryer/is"
)

func TestClean(t *testing.T) {
	for _, test := range []struct{ name, want, why string }{
		{"a", "a", ""},
		{"./a//b/./c/", "a/b/c", ""},
		{"./", ".", ""},
		{".", ".", ""},
		{"...", "...", ""},
		{"..a/b..", "..a/b..", ""},
		{"\xff\n", "\xff\n", ""},
		{"", "", "an empty name"},
		{"/", "", "an absolute name"},
		{"/etc/passwd", "", "an absolute name"},
		{"..", "", "a name with .. in it"},
		{"a/../b", "", "a name with .. in it"},
		{"a/..", "", "a name with .. in it"},
		{"a\x00b", "", "a name with a NUL byte"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			got, why := clean(test.name)
			is.Equal(got, test.want)
			is.Equal(why, test.why)
		})
	}
}

func TestUnsafeLink(t *testing.T) {
	for _, test := range []struct {
		name, target string
		safe         bool
	}{
		{"l", "a", true},
		{"l", "./a//b/", true},
		{"l", ".", true},
		{"l", "l", true}, // a loop leads nowhere
		{"a/l", "..", true},
		{"a/b/l", "../../c/d", true},
		{"a/b/l", ".././../c", true},
		{"l", "...", true},
		{"l", "..", false},
		{"a/l", "../..", false},
		{"l", "a/..", false}, // where that is depends on what a is
		{"a/b/l", "../c/../d", false},
		{"l", "/", false},
		{"l", "/etc/passwd", false},
		{"l", "", false},
		{"l", "a\x00", false},
	} {
		t.Run(test.name+" to "+test.target, func(t *testing.T) {
			is := is.New(t)
			is.Equal(unsafeLink(test.name, test.target) == "", test.safe)
		})
	}
}

func TestUnportable(t *testing.T) {
	for name, want := range map[string]bool{
		"a/b.txt": false, ".git": false, "ü": false, "..": false, "./a": false,
		`a\b`: true, `..\a`: true, "c:": true, "a:stream": true, "a.": true, "a ": true, "a. /b": true,
		"\xff": true, "a\nb": true, "a?": true, "...": true,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(unportable(name) != "", want)
		})
	}
}

func TestExcluded(t *testing.T) {
	o := &Options{Exclude: filter(t, "*.o", "build/*.a", "[.]git", "**/tmp/*.{log,out}"), Except: map[string]bool{"mount": true}}
	for name, want := range map[string]bool{
		"a.o": true, "x/a.o": true, "a.oo": false, "build/x.a": true, "x/build/x.a": false, "build/y/x.a": false,
		".git": true, "x/.git": true, "agit": false, "x/tmp/a.log": true, "tmp/a.out": true, "x/tmp/a.txt": false,
		"mount": true, "x/mount": false,
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			is.Equal(o.excluded(name), want)
		})
	}
}

// filter compiles patterns that are valid.
func filter(t *testing.T, patterns ...string) match.Filter {
	t.Helper()
	f, err := match.CompileFilter(patterns...)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
