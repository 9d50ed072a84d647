package tools

import (
	"bytes"
	"image"
	"image/gif"
	"image/jpeg"
	"image/png"
	"strings"
	"testing"

	"github.com/matryer/is"
)

// picture is 3 x 2 pixels.
func picture(t *testing.T, kind string) string {
	t.Helper()
	var b bytes.Buffer
	var err error
	m := image.NewGray(image.Rect(0, 0, 3, 2))
	switch kind {
	case "image/png":
		err = png.Encode(&b, m)
	case "image/jpeg":
		err = jpeg.Encode(&b, m, nil)
	case "image/gif":
		err = gif.Encode(&b, m, nil)
	case "image/webp":
		// The header of a lossless one: RFC 9649, section 3.4.
		return "RIFF\x18\x00\x00\x00WEBPVP8L\x0c\x00\x00\x00\x2f\x02\x40\x00\x00" + strings.Repeat("\x00", 7)
	}
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// The type of a file is that of its contents, whatever its name.
func TestMedia(t *testing.T) {
	for _, kind := range []string{"image/png", "image/jpeg", "image/gif", "image/webp"} {
		t.Run(kind, func(t *testing.T) {
			is := is.New(t)
			data := picture(t, kind)
			s := newSet(t, NewFake(map[string]string{"report.txt": data}), nil)
			r := use(t, s, "read_file", object{"path": "report.txt"})
			is.True(strings.HasPrefix(r.Text, "report.txt: "+kind+", "))
			is.True(strings.HasSuffix(r.Text, " bytes, 3 x 2 pixels"))
			is.Equal(r.Images, []Image{{MediaType: kind, Data: []byte(data)}})
			is.True(!r.IsError)
		})
	}
	is := is.New(t)
	sb := NewFake(map[string]string{
		"sub/a.png": "%PDF-1.7\nrest", "fake.png": "plain text", "broken": picture(t, "image/png")[:20], "to -> sub/a.png": "",
		"large": picture(t, "image/gif") + strings.Repeat("\x00", 5<<20), "wide": "\xff\xfea\x00b\x00", "elf": "\x7fELF\x00",
	})
	s := newSet(t, sb, nil)
	r := use(t, s, "read_file", object{"path": "to"})
	is.Equal(r.Documents, []Document{{MediaType: "application/pdf", Name: "a.png", Data: []byte("%PDF-1.7\nrest")}})
	is.Equal(len(r.Images), 0)
	is.Equal(use(t, s, "read_file", object{"path": "fake.png"}).Text, "     1\tplain text")
	for name, want := range map[string]string{
		"broken": "broken begins like image/png, but is damaged (unexpected EOF) and cannot be shown",
		"large":  "large is image/gif of 5243681 bytes, and at most 3932160 can be read: make it smaller with a program, by execute",
		"wide":   "wide is a binary file (text in UTF-16, 6 bytes)",
		"elf":    "elf is a binary file (application/x-elf, 5 bytes)",
	} {
		t.Run(name, func(t *testing.T) {
			is := is.New(t)
			r := use(t, s, "read_file", object{"path": name})
			is.True(r.IsError)
			is.True(strings.HasPrefix(r.Text, want)) // got another text
		})
	}
}

func FuzzDimensions(f *testing.F) {
	f.Add([]byte("RIFF\x18\x00\x00\x00WEBPVP8L\x0c\x00\x00\x00\x2f\x02\x40\x00\x00\x00\x00\x00\x00\x00\x00\x00"))
	f.Add([]byte("GIF89a"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if kind := sniff(data); strings.HasPrefix(kind, "image/") {
			if w, h, err := dimensions(kind, data); err == nil && (w < 0 || h < 0) {
				t.Error(w, h)
			}
		}
	})
}
