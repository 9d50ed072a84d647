package sandbox_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

func TestPattern(t *testing.T) {
	for _, test := range []struct {
		name, glob  string
		matches, no string // paths, divided by spaces
	}{
		{"literal", "/a.c", "/a.c", "/abc /A.c /x/a.c a.c"},
		{"star", "/a*c", "/ac /abc /a.c", "/a/c /abcd"},
		{"question mark", "/a?c", "/abc /aéc /a\xffc", "/ac /a/c"},
		{"hidden names", "/*/?x", "/.a/.x", "/.a/x"},
		{"deep in the middle", "/a/**/b", "/a/b /a/x/b /a/x/y/b", "/ab /a/xb"},
		{"deep at the end", "/a/**", "/a /a/b /a/b/c", "/ab"},
		{"deep at the beginning", "/**/a", "/a /x/y/a", "/xa"},
		{"two stars in an element", "/a**c", "/abbc", "/ab/c"},
		{"alternatives", "/{a,b{c,d}}.*", "/a.x /bc.x /bd.", "/b.x /c.x"},
		{"empty alternative", "/a{,.b}", "/a /a.b", "/a.c"},
		{"alternatives with slashes", "/{a/b,c}", "/a/b /c", "/a"},
		{"unopened brace", "/a}", "/a}", "/a"},
		{"comma", "/a,b", "/a,b", "/a"},
		{"class", "/[a-cx]", "/a /b /c /x", "/d /- /ab"},
		{"negated class", "/[!a-c]", "/d /é /\xff", "/a /c"},
		{"circumflex", "/[^a]", "/b /^", "/a"},
		{"bracket in a class", "/[]a]", "/] /a", "/b"},
		{"hyphen in a class", "/[a-]", "/a /-", "/b"},
		{"backslash in a class", `/[\]\d]`, "/] /d", `/5 /\`},
		{"class of other letters", "/[à-é]", "/ç", "/e"},
		{"class has no slash", `/x[,-0]y`, "/x.y /x0y", "/x/y"},
		{"negated class has no slash", "/x[!a]y", "/xby", "/x/y /xay"},
		{"bytes that are no text", "/a\xff*", "/a\xff /a\xffb", "/a\uFFFD"},
		{"relative", "a/*", "a/b", "/a/b"},
		{"backslash", `/\*\é\a`, "/*éa", "/xéa"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			p, err := sandbox.CompilePattern(test.glob)
			is.NoErr(err)
			for path := range strings.FieldsSeq(test.matches) {
				t.Log(path)
				is.True(p.Match(path))
			}
			for path := range strings.FieldsSeq(test.no) {
				t.Log("not", path)
				is.True(!p.Match(path))
			}
		})
	}
}

func TestPatternRefused(t *testing.T) {
	for _, test := range []struct{ name, glob, want string }{
		{"class without end", "/[a", `a [ has no ]; write \[ for the character itself`},
		{"class across a slash", "/[a/b]", `a [ has no ]; write \[ for the character itself`},
		{"range backwards", "/[z-a]", "the range z-a goes backwards"},
		{"brace without end", "/{a,b", `a { has no }; write \{ for the character itself`},
		{"backslash at the end", `/a\`, "a backslash at the end takes no character"},
		{"slash in a class", `/[\/]`, `a [ has no ]; write \[ for the character itself`},
		{"empty", "", "is empty; write * for all names, ** for all below"},
	} {
		t.Run(test.name, func(t *testing.T) {
			is := is.New(t)
			_, err := sandbox.CompilePattern(test.glob)
			e, ok := errors.AsType[*sandbox.Error](err)
			is.True(ok)
			is.Equal(e.Code, sandbox.CodeInvalid)
			is.Equal(e.Name, test.glob)
			is.Equal(e.Err.Error(), test.want)
		})
	}
}
