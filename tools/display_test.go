package tools

import (
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/drydock-go/drydock/sandbox"
)

// showing is a display with data by media type.
func showing(kindsAndData ...string) sandbox.Display {
	d := sandbox.Display{Data: map[string][]byte{}}
	for i := 0; i < len(kindsAndData); i += 2 {
		d.Data[kindsAndData[i]] = []byte(kindsAndData[i+1])
	}
	return d
}

// value is a display of the last expression.
func value(d sandbox.Display) sandbox.Display { d.Value = true; return d }

// Images are bounded, and the rest is noted.
func TestDisplays(t *testing.T) {
	is := is.New(t)
	sb := NewFake(nil)
	s := newSet(t, sb, nil)
	var many []sandbox.Display
	for range maxFigures + 3 {
		many = append(many, showing("image/png", picture(t, "image/png")))
	}
	sb.Python = Prints("", sandbox.Execution{Displays: many})
	r := use(t, s, "python", object{"code": "x"})
	is.Equal(len(r.Images), maxFigures)
	is.True(strings.HasSuffix(r.Text, "[3 images were left out, because at most 8 images and 7864320 bytes of them are shown at once: show them in another call, or write them to files and look at them with read_file]"))

	large := showing("image/png", picture(t, "image/png")+strings.Repeat("\x00", maxImage-100))
	sb.Python = Prints("", sandbox.Execution{Displays: []sandbox.Display{large, large, large}})
	r = use(t, s, "python", object{"code": "x"})
	is.Equal(len(r.Images), 2)
	is.True(strings.Contains(r.Text, "[1 image was left out, "))

	sb.Python = Prints("BEGIN"+strings.Repeat("é", 100_000), sandbox.Execution{Exception: &sandbox.Exception{Text: "ValueError: bad"}})
	r = use(t, s, "python", object{"code": "x"})
	is.True(len(r.Text) <= DefaultMaxOutput)
	is.True(strings.HasPrefix(r.Text, "BEGIN"))
	is.True(strings.Contains(r.Text, "é\nValueError: bad\n[")) // the end is not lost
	is.True(strings.HasSuffix(r.Text, " bytes were dropped in the middle: print less, or write it to a file]"))
}
