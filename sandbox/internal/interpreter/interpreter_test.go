package interpreter

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/matryer/is"
)

func TestScanner(t *testing.T) {
	mark := NewMark()
	one, two := string(AppendMark(nil, mark, 1)), string(AppendMark(nil, mark, 0xabcdef01))
	for name, tt := range map[string]struct {
		in, out string
		found   []uint32
	}{
		"none":              {"plain\n", "plain\n", nil},
		"nothing":           {"", "", nil},
		"one":               {"a" + one + "b", "ab", []uint32{1}},
		"two in a row":      {one + two, "", []uint32{1, 0xabcdef01}},
		"half":              {"a" + one[:10], "a" + one[:10], nil},
		"half and more":     {one[:10] + one, one[:10], []uint32{1}},
		"without a number":  {mark + "0000000x;b", mark + "0000000x;b", nil},
		"without semicolon": {mark + "00000001 " + one, mark + "00000001 ", []uint32{1}},
		"cut in the number": {"a" + mark + "0000", "a" + mark + "0000", nil},
		"another's":         {string(AppendMark(nil, NewMark(), 1)), "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			if name == "another's" {
				tt.out = tt.in
			}
			for size := 1; size <= len(tt.in)+1; size++ { // however it is cut
				is := is.New(t)
				var out bytes.Buffer
				var found []uint32
				s := Scanner{Mark: mark,
					Write: func(p []byte) error { _, err := out.Write(p); return err },
					Found: func(run uint32) { found = append(found, run) }}
				for in := tt.in; in != ""; {
					n := min(size, len(in))
					is.NoErr(s.Scan([]byte(in[:n])))
					in = in[n:]
				}
				is.NoErr(s.End())
				is.Equal(out.String(), tt.out)
				is.Equal(found, tt.found)
			}
		})
	}
}

func TestScannerHoldsNothingBack(t *testing.T) {
	is := is.New(t)
	var out bytes.Buffer
	s := Scanner{Mark: NewMark(), Write: func(p []byte) error { _, err := out.Write(p); return err }}
	is.NoErr(s.Scan([]byte("a prompt> ")))
	is.Equal(out.String(), "a prompt> ") // text shows at once
	is.NoErr(s.Scan([]byte("\x1b[31mred")))
	is.Equal(out.String(), "a prompt> \x1b[31mred") // so do other escapes
}

func TestMessages(t *testing.T) {
	read := func(text string) (all []*Message, err error) {
		err = Messages(iotest.OneByteReader(strings.NewReader(text)), func(m *Message) { all = append(all, m) })
		return all, err
	}
	t.Run("of every kind", func(t *testing.T) {
		is := is.New(t)
		all, err := read(`{"ready":"Python 3.12.1"}` + "\n" +
			`{"display":{"text/plain":"aGk=","image/png":"iVBORw0KGgp4"},"value":true}` + "\n" +
			`{"done":7,"exit":1,"user":0.5,"exception":{"name":"KeyError","value":"'x'","text":"T","traceback":[{"file":"<cell 1>","line":3,"function":"f","text":"x"}]}}` + "\n")
		is.NoErr(err)
		is.Equal(len(all), 3)
		is.Equal(all[0].Ready, "Python 3.12.1")
		is.Equal(string(all[1].Display["text/plain"]), "hi")
		is.Equal(string(all[1].Display["image/png"]), "\x89PNG\r\n\x1a\nx")
		is.True(all[1].Value)
		is.Equal(all[2].Done, uint32(7))
		is.Equal(*all[2].Exception, Exception{"KeyError", "'x'", "T", []Frame{{"<cell 1>", 3, "f", "x"}}})
	})
	t.Run("what is not what it says is dropped", func(t *testing.T) {
		is := is.New(t)
		all, err := read(`{"display":{"image/png":"aGk=","image/jpeg":"aGk=","application/json":"aGk=","../x":"aGk=","text/html":"aGk="}}` + "\n")
		is.NoErr(err)
		is.Equal(len(all[0].Display), 1)
		is.Equal(string(all[0].Display["text/html"]), "hi")
	})
	t.Run("bounded", func(t *testing.T) {
		is := is.New(t)
		frames := strings.Repeat(`{"file":"f"},`, 1000) + `{"file":"f"}`
		var forms strings.Builder
		for i := range 100 {
			fmt.Fprintf(&forms, `"text/x%d":"aGk=",`, i)
		}
		all, err := read(`{"done":1,"exit":70000,"exception":{"traceback":[` + frames + `]}}` + "\n" +
			`{"display":{` + strings.TrimSuffix(forms.String(), ",") + `}}` + "\n")
		is.NoErr(err)
		is.Equal(len(all[0].Exception.Traceback), maxFrames)
		is.Equal(all[0].Exit, 70000&0xff)
		is.True(len(all[1].Display) <= maxForms)
	})
	t.Run("small JSON does not become large memory", func(t *testing.T) {
		is := is.New(t)
		for _, message := range []string{
			`{"done":1,"exception":{"traceback":[` + strings.Repeat("{},", 2<<20) + `{}]}}` + "\n",
			`{"display":{` + strings.Repeat(`"a/b":"",`, 1<<20) + `"a/b":""}}` + "\n",
		} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			is.NoErr(Messages(strings.NewReader(message), func(*Message) {}))
			runtime.ReadMemStats(&after)
			is.True(after.TotalAlloc-before.TotalAlloc < 8*uint64(len(message)))
		}
	})
	t.Run("odd ones", func(t *testing.T) {
		for _, text := range []string{"no json\n", "[]\n", `{"done":-1}` + "\n", `{"done":1e99}` + "\n", "\n", `{"display":{"a/b":"%"}}` + "\n"} {
			is := is.New(t)
			_, err := read(text)
			is.True(err != nil)
		}
	})
	t.Run("too long", func(t *testing.T) {
		is := is.New(t)
		err := Messages(io.LimitReader(zeros{}, 2*MaxMessage), func(*Message) {})
		is.True(err != nil)
	})
	t.Run("cut", func(t *testing.T) {
		is := is.New(t)
		all, err := read(`{"ready":"x"`)
		is.NoErr(err) // the end of the process says why
		is.Equal(len(all), 0)
	})
	t.Run("a reader that fails", func(t *testing.T) {
		is := is.New(t)
		broken := errors.New("broken")
		is.Equal(Messages(iotest.ErrReader(broken), func(*Message) {}), broken)
	})
}

type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestQuote(t *testing.T) {
	is := is.New(t)
	is.Equal(quote("it's"), `'it'\''s'`)
	is.Equal(quote("$x `y`\n\\"), "'$x `y`\n\\'") // nothing else means anything inside
}

func FuzzScanner(f *testing.F) {
	const mark = "\x1b_drydock-x~"
	f.Add([]byte("plain \x1b[0m"), 3)
	f.Add(AppendMark([]byte("a"), mark, 7), 1)
	f.Add([]byte(mark+"0000000"), 20)
	f.Add([]byte(mark+mark+"00000001;"), 5)
	f.Fuzz(func(t *testing.T, in []byte, size int) {
		if size < 1 {
			size = 1
		}
		scan := func(size int) (out []byte, found []uint32) {
			s := Scanner{Mark: mark,
				Write: func(p []byte) error { out = append(out, p...); return nil },
				Found: func(run uint32) { found = append(found, run) }}
			for rest := in; len(rest) > 0; {
				n := min(size, len(rest))
				_ = s.Scan(bytes.Clone(rest[:n]))
				rest = rest[n:]
			}
			_ = s.End()
			return out, found
		}
		out, found := scan(len(in) + 1)
		cutOut, cutFound := scan(size)
		if !bytes.Equal(out, cutOut) || fmt.Sprint(found) != fmt.Sprint(cutFound) {
			t.Fatalf("cut into %d: %q %v, else %q %v", size, cutOut, cutFound, out, found)
		}
		if len(out)+len(found)*(len(mark)+markTail) != len(in) {
			t.Fatalf("%d bytes in, %d out and %d marks", len(in), len(out), len(found))
		}
	})
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"ready":"x"}` + "\n" + `{"done":1,"exception":{"traceback":[{}]}}` + "\n"))
	f.Add([]byte(`{"display":{"image/png":"iVBORw0KGgp4","text/plain":"aGk="}}` + "\n"))
	f.Fuzz(func(t *testing.T, in []byte) {
		_ = Messages(bytes.NewReader(in), func(m *Message) {
			if len(m.Display) > maxForms {
				t.Fatal(len(m.Display))
			}
			for kind, data := range m.Display {
				if !bytes.HasPrefix(data, signatures[kind]) || strings.ContainsAny(kind, " \n\x1b") {
					t.Fatalf("%q: %q", kind, data)
				}
			}
		})
	})
}
